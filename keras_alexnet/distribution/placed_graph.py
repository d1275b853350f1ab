"""One training step as TensorFlow has placed it on devices."""

import contextlib
import dataclasses
import pathlib
import re
import tempfile
import uuid

import tensorflow as tf

# What TensorFlow adds to each device's part of a graph.
PLUMBING = ("_Arg", "_Retval", "_Send", "_Recv", "Const", "NoOp", "Identity")
# TensorFlow computes an op by a kernel of oneDNN under another name, such as
# `_MklNativeConv2D`, and may join what follows or precedes it, as in
# `_MklNativeConv2DBackpropFilterWithBias` or `_MklNativePadWithConv2D`.
ONEDNN = re.compile(
    r"^_Mkl(Native)?(PadWith)?(Fused(?!BatchNorm))?(?P<op>\w+?)(WithBias)?$"
)


@dataclasses.dataclass(frozen=True)
class PlacedOp:
    """An op of a training step.

    Args:
        name: Its name in the graph.
        type: Such as `"Conv2D"`: the op that was asked for, whatever kernel
            computes it.
        device: Such as `"CPU:1"`.
    """

    name: str
    type: str
    device: str


@dataclasses.dataclass(frozen=True)
class Transfer:
    """A tensor that crosses from one device to another in a step.

    Args:
        tensor: Name of the op that it comes from.
        source: Device.
        target: Device.
        bytes: Integer, or `None` where its shape is not known.
    """

    tensor: str
    source: str
    target: str
    bytes: int | None


def placed_step(model, data):
    """Runs one training step, takes it back, and tells where its ops ran.

    The ops are those that TensorFlow's placer has put on devices, with the
    transfers between devices that it has added; nothing is inferred from
    names or from what was asked for. The optimizer of graphs (grappler) is
    off meanwhile, so that ops keep their names.

    Args:
        model: A compiled `keras.Model`.
        data: A batch, such as `(x, y)`, the same for each replica.

    Returns:
        Pair: list of `PlacedOp`, list of `Transfer`.

    Example:

    >>> import keras, numpy as np
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> ops, transfers = placed_step(model, (np.ones((4, 2)), np.ones((4, 1))))
    >>> {op.device for op in ops if op.type == "MatMul"}, transfers
    ({'CPU:0'}, [])
    """
    strategy = model.distribute_strategy
    if not model.optimizer.built:
        with strategy.scope():
            model.optimizer.build(model.trainable_variables)
    data = tf.nest.map_structure(tf.convert_to_tensor, data)
    mark = f"placed_step_{uuid.uuid4().hex}"

    @tf.function(autograph=False)
    def step(data):
        logs = strategy.run(model.train_step, args=(data,))
        return logs, tf.zeros((), name=mark)

    with _as_placed(), _undone(model):
        graph = step.get_concrete_function(data).graph
        parts = _partitions(step, data, mark)
    return _ops(parts), _transfers(parts, _sizes(graph))


def short(device):
    """`"CPU:1"` of `"/job:localhost/replica:0/task:0/device:CPU:1"`."""
    spec = tf.DeviceSpec.from_string(device)
    name = f"{spec.device_type}:{spec.device_index}"
    return name if not spec.task else f"task:{spec.task}/{name}"


def op_type(kernel):
    """The op that a kernel computes: of several that it joins, the main one.

    Args:
        kernel: String, the type of a node of a graph.

    Returns:
        String, the type of the op before TensorFlow chose a kernel for it.

    Example:

    >>> op_type("_MklNativeConv2DBackpropFilterWithBias")
    'Conv2DBackpropFilter'
    >>> op_type("Relu")
    'Relu'
    """
    found = ONEDNN.match(kernel)
    return found["op"] if found else kernel


def _partitions(step, data, mark):
    """The graph of each device, from TensorFlow's own record.

    It records whatever runs meanwhile, and what earlier recordings have left;
    the step is the one that has an op named `mark`.
    """
    with tempfile.TemporaryDirectory() as directory:
        writer = tf.summary.create_file_writer(directory)
        tf.summary.trace_on(graph=True)
        step(data)
        with writer.as_default():
            tf.summary.trace_export("step", step=0)
        writer.close()
        (path,) = pathlib.Path(directory).iterdir()
        records = list(tf.data.TFRecordDataset(str(path)))
    for record in records:
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            metadata = tf.compat.v1.RunMetadata.FromString(
                value.tensor.string_val[0]
            )
            for graph in metadata.function_graphs:
                parts = [part.node for part in graph.partition_graphs]
                if any(node.name == mark for nodes in parts for node in nodes):
                    return parts
    return []


def _ops(parts):
    return [
        PlacedOp(node.name, op_type(node.op), short(node.device))
        for nodes in parts
        for node in nodes
        if node.op not in PLUMBING
    ]


def _transfers(parts, sizes):
    found = []
    for nodes in parts:
        for node in nodes:
            if node.op == "Const":
                constant = tf.make_ndarray(node.attr["value"].tensor)
                sizes.setdefault(node.name, constant.nbytes)
            if node.op not in ("_Send", "_HostSend"):
                continue
            name = node.input[0]
            # An order without data; the tensor that carries it is empty.
            if "/ctrl/" in name:
                continue
            found.append(
                Transfer(
                    name,
                    short(node.attr["send_device"].s.decode()),
                    short(node.attr["recv_device"].s.decode()),
                    # The body of a condition is put in as `cond/then/_0/…`.
                    sizes.get(name, sizes.get(re.sub(r".*/_\d+/", "", name))),
                )
            )
    return [t for t in found if t.source != t.target]


def _sizes(graph):
    """Bytes of each tensor of a graph, by the name that nodes give it."""
    sizes = {}
    # Bodies of conditions and loops.
    definition = graph.as_graph_def(add_shapes=True)
    for function in definition.library.function:
        for node in function.node_def:
            shapes = node.attr["_output_shapes"].list.shape
            kind = node.attr["dtype"].type or node.attr["T"].type
            if shapes and kind:
                _add_size(sizes, node.name, shapes[0], tf.as_dtype(kind))
    for operation in graph.get_operations():
        for tensor in operation.outputs:
            name = tensor.name.removesuffix(":0")
            _add_size(sizes, name, tensor.shape, tensor.dtype)
    return sizes


def _add_size(sizes, name, shape, dtype):
    shape = tf.TensorShape(shape)
    if shape.is_fully_defined() and dtype.size:
        sizes[name] = shape.num_elements() * dtype.size


@contextlib.contextmanager
def _as_placed():
    options = tf.config.optimizer.get_experimental_options()
    before = options.get("disable_meta_optimizer", False)
    tf.config.optimizer.set_experimental_options(
        {"disable_meta_optimizer": True}
    )
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options(
            {"disable_meta_optimizer": before}
        )


@contextlib.contextmanager
def _undone(model):
    metrics = {id(variable) for variable in model.metrics_variables}
    before = [
        (variable, variable.numpy())
        for variable in model.variables + model.optimizer.variables
        if id(variable) not in metrics
    ]
    try:
        yield
    finally:
        for variable, value in before:
            variable.assign(value)
        model.reset_metrics()
