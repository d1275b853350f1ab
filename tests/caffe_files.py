"""Caffe's files written by Google's protobuf runtime, not by ours."""

import numpy as np
from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from google.protobuf import message_factory

ENUMS = {
    "Phase": ("TRAIN", "TEST"),
    "PoolMethod": ("MAX", "AVE", "STOCHASTIC"),
    "RoundMode": ("CEIL", "FLOOR"),
    "NormRegion": ("ACROSS_CHANNELS", "WITHIN_CHANNEL"),
    "EltwiseOp": ("PROD", "SUM", "MAX"),
    "LayerType": (
        "NONE ACCURACY BNLL CONCAT CONVOLUTION DATA DROPOUT EUCLIDEAN_LOSS "
        "FLATTEN HDF5_DATA HDF5_OUTPUT IM2COL IMAGE_DATA INFOGAIN_LOSS "
        "INNER_PRODUCT LRN MULTINOMIAL_LOGISTIC_LOSS POOLING RELU SIGMOID "
        "SOFTMAX SOFTMAX_LOSS SPLIT TANH WINDOW_DATA ELTWISE POWER "
        "SIGMOID_CROSS_ENTROPY_LOSS HINGE_LOSS MEMORY_DATA ARGMAX THRESHOLD "
        "DUMMY_DATA SLICE MVN ABSVAL SILENCE CONTRASTIVE_LOSS EXP "
        "DECONVOLUTION"
    ).split(),
}
# Of caffe.proto, what published networks use: number, name, type, and for
# lists "repeated" or "packed".
MESSAGES = {
    "BlobShape": [(1, "dim", "int64", "packed")],
    "BlobProto": [
        (1, "num", "int64"),
        (2, "channels", "int64"),
        (3, "height", "int64"),
        (4, "width", "int64"),
        (5, "data", "float", "packed"),
        (6, "diff", "float", "packed"),
        (7, "shape", "BlobShape"),
        (8, "double_data", "double", "packed"),
    ],
    "ParamSpec": [
        (1, "name", "string"),
        (3, "lr_mult", "float"),
        (4, "decay_mult", "float"),
    ],
    "TransformationParameter": [
        (1, "scale", "float"),
        (2, "mirror", "bool"),
        (3, "crop_size", "uint64"),
        (4, "mean_file", "string"),
        (5, "mean_value", "float", "repeated"),
    ],
    "FillerParameter": [
        (1, "type", "string"),
        (2, "value", "float"),
        (6, "std", "float"),
    ],
    "ConvolutionParameter": [
        (1, "num_output", "uint64"),
        (2, "bias_term", "bool"),
        (3, "pad", "uint64", "repeated"),
        (4, "kernel_size", "uint64", "repeated"),
        (5, "group", "uint64"),
        (6, "stride", "uint64", "repeated"),
        (7, "weight_filler", "FillerParameter"),
        (8, "bias_filler", "FillerParameter"),
        (9, "pad_h", "uint64"),
        (10, "pad_w", "uint64"),
        (11, "kernel_h", "uint64"),
        (12, "kernel_w", "uint64"),
        (13, "stride_h", "uint64"),
        (14, "stride_w", "uint64"),
        (18, "dilation", "uint64", "repeated"),
    ],
    "InnerProductParameter": [
        (1, "num_output", "uint64"),
        (2, "bias_term", "bool"),
        (3, "weight_filler", "FillerParameter"),
        (4, "bias_filler", "FillerParameter"),
        (6, "transpose", "bool"),
    ],
    "LRNParameter": [
        (1, "local_size", "uint64"),
        (2, "alpha", "float"),
        (3, "beta", "float"),
        (4, "norm_region", "NormRegion"),
        (5, "k", "float"),
    ],
    "PoolingParameter": [
        (1, "pool", "PoolMethod"),
        (2, "kernel_size", "uint64"),
        (3, "stride", "uint64"),
        (4, "pad", "uint64"),
        (5, "kernel_h", "uint64"),
        (6, "kernel_w", "uint64"),
        (7, "stride_h", "uint64"),
        (8, "stride_w", "uint64"),
        (9, "pad_h", "uint64"),
        (10, "pad_w", "uint64"),
        (12, "global_pooling", "bool"),
        (13, "round_mode", "RoundMode"),
    ],
    "ReLUParameter": [(1, "negative_slope", "float")],
    "DropoutParameter": [(1, "dropout_ratio", "float")],
    "BatchNormParameter": [
        (1, "use_global_stats", "bool"),
        (2, "moving_average_fraction", "float"),
        (3, "eps", "float"),
    ],
    "ConcatParameter": [(1, "concat_dim", "uint32"), (2, "axis", "int32")],
    "EltwiseParameter": [
        (1, "operation", "EltwiseOp"),
        (2, "coeff", "float", "repeated"),
    ],
    "FlattenParameter": [(1, "axis", "int32"), (2, "end_axis", "int32")],
    "InputParameter": [(1, "shape", "BlobShape", "repeated")],
    "NetStateRule": [
        (1, "phase", "Phase"),
        (2, "min_level", "int32"),
        (3, "max_level", "int32"),
        (4, "stage", "string", "repeated"),
        (5, "not_stage", "string", "repeated"),
    ],
    "ScaleParameter": [
        (1, "axis", "int32"),
        (2, "num_axes", "int32"),
        (4, "bias_term", "bool"),
    ],
    "SoftmaxParameter": [(2, "axis", "int32")],
    "V0LayerParameter": [
        (1, "name", "string"),
        (2, "type", "string"),
        (3, "num_output", "uint64"),
        (7, "pad", "uint64"),
        (8, "kernelsize", "uint64"),
        (9, "group", "uint64"),
        (10, "stride", "uint64"),
        (11, "pool", "int32"),
        (12, "dropout_ratio", "float"),
        (13, "local_size", "uint64"),
        (14, "alpha", "float"),
        (15, "beta", "float"),
        (20, "cropsize", "uint64"),
        (50, "blobs", "BlobProto", "repeated"),
        (51, "blobs_lr", "float", "repeated"),
    ],
    "V1LayerParameter": [
        (1, "layer", "V0LayerParameter"),
        (2, "bottom", "string", "repeated"),
        (3, "top", "string", "repeated"),
        (4, "name", "string"),
        (5, "type", "LayerType"),
        (6, "blobs", "BlobProto", "repeated"),
        (7, "blobs_lr", "float", "repeated"),
        (8, "weight_decay", "float", "repeated"),
        (9, "concat_param", "ConcatParameter"),
        (10, "convolution_param", "ConvolutionParameter"),
        (12, "dropout_param", "DropoutParameter"),
        (17, "inner_product_param", "InnerProductParameter"),
        (18, "lrn_param", "LRNParameter"),
        (19, "pooling_param", "PoolingParameter"),
        (36, "transform_param", "TransformationParameter"),
    ],
    "LayerParameter": [
        (1, "name", "string"),
        (2, "type", "string"),
        (3, "bottom", "string", "repeated"),
        (4, "top", "string", "repeated"),
        (5, "loss_weight", "float", "repeated"),
        (6, "param", "ParamSpec", "repeated"),
        (7, "blobs", "BlobProto", "repeated"),
        (8, "include", "NetStateRule", "repeated"),
        (9, "exclude", "NetStateRule", "repeated"),
        (10, "phase", "Phase"),
        (100, "transform_param", "TransformationParameter"),
        (104, "concat_param", "ConcatParameter"),
        (106, "convolution_param", "ConvolutionParameter"),
        (108, "dropout_param", "DropoutParameter"),
        (110, "eltwise_param", "EltwiseParameter"),
        (117, "inner_product_param", "InnerProductParameter"),
        (118, "lrn_param", "LRNParameter"),
        (121, "pooling_param", "PoolingParameter"),
        (123, "relu_param", "ReLUParameter"),
        (125, "softmax_param", "SoftmaxParameter"),
        (135, "flatten_param", "FlattenParameter"),
        (139, "batch_norm_param", "BatchNormParameter"),
        (142, "scale_param", "ScaleParameter"),
        (143, "input_param", "InputParameter"),
    ],
    "NetParameter": [
        (1, "name", "string"),
        (2, "layers", "V1LayerParameter", "repeated"),
        (3, "input", "string", "repeated"),
        (4, "input_dim", "int64", "repeated"),
        (8, "input_shape", "BlobShape", "repeated"),
        (100, "layer", "LayerParameter", "repeated"),
    ],
}
V1_NUMBERS = {
    "Convolution": 4,
    "Data": 5,
    "Dropout": 6,
    "InnerProduct": 14,
    "LRN": 15,
    "Pooling": 17,
    "ReLU": 18,
    "SoftmaxWithLoss": 21,
}
V0_NAMES = {
    "Convolution": "conv",
    "Data": "data",
    "Dropout": "dropout",
    "InnerProduct": "innerproduct",
    "LRN": "lrn",
    "Pooling": "pool",
    "ReLU": "relu",
    "SoftmaxWithLoss": "softmax_loss",
}


def message(name):
    """A class of caffe.proto."""
    return message_factory.GetMessageClass(
        POOL.FindMessageTypeByName(f"caffe.{name}")
    )


def _pool():
    field_type = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="caffe.proto", package="caffe", syntax="proto2"
    )
    for name, values in ENUMS.items():
        # Two have a MAX; names must differ within a message only.
        holder = file.message_type.add(name=f"{name}Holder")
        definition = holder.enum_type.add(name=name)
        for number, value in enumerate(values):
            definition.value.add(name=value, number=number)
    for name, fields in MESSAGES.items():
        definition = file.message_type.add(name=name)
        for number, field, kind, *label in fields:
            added = definition.field.add(name=field, number=number)
            added.label = field_type.LABEL_OPTIONAL
            if label:
                added.label = field_type.LABEL_REPEATED
                added.options.packed = label == ["packed"]
            if kind in MESSAGES:
                added.type = field_type.TYPE_MESSAGE
                added.type_name = f".caffe.{kind}"
            elif kind in ENUMS:
                added.type = field_type.TYPE_ENUM
                added.type_name = f".caffe.{kind}Holder.{kind}"
            else:
                added.type = getattr(field_type, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


POOL = _pool()


def alexnet(
    generation=2,
    caffenet=False,
    filters=(8, 8, 12, 12, 8),
    units=(20, 24),
    classes=10,
    input_size=99,
    map_size=2,
    legacy_shapes=None,
    seed=0,
):
    """A small `bvlc_alexnet` as a training snapshot of it would be.

    Args:
        generation: 0, 1 or 2: `layers` with a V0 layer in each, `layers`, or
            `layer`.
        caffenet: Whether pooling comes before LRN.
        legacy_shapes: Whether shapes are four numbers. Defaults to those that
            the generation had.

    Returns:
        The message, and a dict of layer name to its two arrays in Caffe's
        layout.
    """
    random = np.random.default_rng(seed)
    if legacy_shapes is None:
        legacy_shapes = generation < 2
    net = message("NetParameter")(name="small")
    arrays = {}

    def add(name, kind, bottom, top, blobs=(), **settings):
        if generation == 0 and "pad" in settings:
            # The oldest networks padded in a layer of their own.
            padding = net.layers.add(bottom=[bottom], top=[f"pad_{name}"])
            padding.layer.name, padding.layer.type = f"pad_{name}", "padding"
            padding.layer.pad = settings.pop("pad")
            bottom = f"pad_{name}"
        _add_layer(net, generation, name, kind, bottom, top, settings)
        layer = (net.layer if generation == 2 else net.layers)[-1]
        if generation == 0:
            layer = layer.layer
        for array in blobs:
            blob = layer.blobs.add(data=array.ravel())
            if legacy_shapes:
                sides = (1,) * (4 - array.ndim) + array.shape
                blob.num, blob.channels, blob.height, blob.width = sides
            else:
                blob.shape.dim.extend(array.shape)
        if blobs:
            arrays[name] = blobs

    add("data", "Data", None, "data", crop_size=input_size)
    channels, bottom = 3, "data"
    for index, count in enumerate(filters):
        name, number = f"conv{index + 1}", index + 1
        group = 2 if number in (2, 4, 5) else 1
        size = (11, 5, 3, 3, 3)[index]
        kernel = random.normal(
            0, 0.05, (count, channels // group, size, size)
        ).astype("float32")
        settings = {"num_output": count, "kernel_size": size}
        if number == 1:
            settings["stride"] = 4
        else:
            settings["pad"] = size // 2
        if group == 2:
            settings["group"] = group
        bias = random.normal(0, 0.1, count).astype("float32")
        add(name, "Convolution", bottom, name, (kernel, bias), **settings)
        add(f"relu{number}", "ReLU", name, name)
        channels, bottom = count, name
        stages = {1: ["norm", "pool"], 2: ["norm", "pool"], 5: ["pool"]}
        stages = stages.get(number, [])
        for stage in reversed(stages) if caffenet else stages:
            top = f"{stage}{number}"
            if stage == "norm":
                add(
                    top, "LRN", bottom, top, local_size=5, alpha=1e-4, beta=0.75
                )
            else:
                add(
                    top, "Pooling", bottom, top, pool=0, kernel_size=3, stride=2
                )
            bottom = top
    inputs = channels * map_size**2
    for number, count in enumerate((*units, classes), 6):
        name = f"fc{number}"
        kernel = random.normal(0, 0.05, (count, inputs)).astype("float32")
        bias = random.normal(0, 0.1, count).astype("float32")
        add(
            name, "InnerProduct", bottom, name, (kernel, bias), num_output=count
        )
        if number < 8:
            add(f"relu{number}", "ReLU", name, name)
            add(f"drop{number}", "Dropout", name, name, dropout_ratio=0.5)
        inputs, bottom = count, name
    add("loss", "SoftmaxWithLoss", bottom, "loss")
    return net, arrays


def _add_layer(net, generation, name, kind, bottom, top, settings):
    bottoms = [bottom] if bottom else []
    if generation == 0:
        connection = net.layers.add(bottom=bottoms, top=[top])
        layer = connection.layer
        layer.name, layer.type = name, V0_NAMES[kind]
        renamed = {"kernel_size": "kernelsize", "crop_size": "cropsize"}
        for key, value in settings.items():
            setattr(layer, renamed.get(key, key), value)
        return
    if generation == 1:
        layer = net.layers.add(name=name, type=V1_NUMBERS[kind])
    else:
        layer = net.layer.add(name=name, type=kind)
    layer.bottom.extend(bottoms)
    layer.top.append(top)
    parameters = {
        "Convolution": "convolution_param",
        "Data": "transform_param",
        "Dropout": "dropout_param",
        "InnerProduct": "inner_product_param",
        "LRN": "lrn_param",
        "Pooling": "pooling_param",
    }
    for key, value in settings.items():
        parameter = getattr(layer, parameters[kind])
        if key in ("pad", "kernel_size", "stride") and kind == "Convolution":
            getattr(parameter, key).append(value)
        else:
            setattr(parameter, key, value)
