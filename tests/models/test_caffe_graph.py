"""Single layers against OpenCV, and graphs that are none."""

import re
import time

import keras
import numpy as np
import pytest

pytest.importorskip("google.protobuf")
import caffe_nets  # noqa: E402
from models.test_load_caffe import compare  # noqa: E402

from keras_alexnet.models import load_caffe  # noqa: E402
from keras_alexnet.models import save_weights  # noqa: E402
from keras_alexnet.models.caffe_graph import MOST_LAYERS  # noqa: E402
from keras_alexnet.weights import CaffeLayer  # noqa: E402
from keras_alexnet.weights import CaffeNet  # noqa: E402
from keras_alexnet.weights import write_caffemodel  # noqa: E402


def convolution(shape, param):
    def add(net):
        out, inputs, *window = shape
        net.random_weights("c", shape, inputs * np.prod(window), True)
        param_text = f"convolution_param {{ num_output: {out} {param} }}"
        net.layer("c", "Convolution", "data", "c", None, param_text)

    return add


def plain(kind, param="", bottoms="data"):
    def add(net):
        net.layer("x", kind, bottoms, "x", None, param)

    return add


def pooling(param):
    return plain("Pooling", f"pooling_param {{ {param} }}")


def eltwise(param):
    def add(net):
        net.conv("a", "data", 3, 3, p=1)
        net.layer(
            "x", "Eltwise", ["data", "a"], "x", None, f"eltwise_param {param}"
        )

    return add


def concat(axis):
    def add(net):
        net.conv("a", "data", 3, 3, p=1)
        param = f"concat_param {{ axis: {axis} }}"
        net.layer("x", "Concat", ["data", "a"], "x", None, param)

    return add


def flatten_and_dense(net):
    net.layer("flat", "Flatten", "data", "flat", None)
    net.random_weights("fc", (5, 3 * 81), 243, True)
    param = "inner_product_param { num_output: 5 }"
    net.layer("fc", "InnerProduct", "flat", "fc", None, param)


def dense_on_an_oblong(net):
    pooling("pool: AVE kernel_h: 3 kernel_w: 2 stride_h: 3 stride_w: 1")(net)
    net.random_weights("fc", (5, 3 * 3 * 8), 72, False)
    param = "inner_product_param { num_output: 5 bias_term: false }"
    net.layer("fc", "InnerProduct", "x", "fc", None, param)


def norm_alone(net):
    total = np.float32(2.5)
    net.blobs["bn"] = [
        np.array([1, -2, 0.5], "float32"),
        np.array([1, 2, 0.5], "float32"),
        total.reshape(1),
    ]
    param = "batch_norm_param { use_global_stats: true eps: 0.001 }"
    net.layer("bn", "BatchNorm", "data", "n", None, param)


def scale_alone(net):
    net.conv("c", "data", 4, 1)
    net.scale("factors", "c")


def split(net):
    net.text += (
        'layer { name: "s" type: "Split" bottom: "data" top: "s1" top: "s2" }\n'
    )
    net.layer("x", "Concat", ["s1", "s2"], "x", None)


LAYERS = {
    "oblong window": convolution((4, 3, 3, 5), "kernel_h: 3 kernel_w: 5"),
    "oblong padding": convolution(
        (4, 3, 3, 3), "kernel_size: 3 pad_h: 0 pad_w: 2 stride_h: 2 stride_w: 1"
    ),
    "two numbers": convolution(
        (4, 3, 3, 3), "kernel_size: 3 stride: 2 stride: 1"
    ),
    "dilated": convolution((4, 3, 3, 3), "kernel_size: 3 dilation: 2 pad: 2"),
    "depthwise": convolution((6, 1, 3, 3), "kernel_size: 3 group: 3"),
    "average, clipped": pooling("pool: AVE kernel_size: 3 stride: 2 pad: 1"),
    "average, over the edge": pooling("pool: AVE kernel_size: 2 stride: 2"),
    "average, wide stride": pooling(
        "pool: AVE kernel_size: 4 stride: 3 pad: 1"
    ),
    "max, clipped": pooling("pool: MAX kernel_size: 2 stride: 2 pad: 1"),
    "max, oblong": pooling(
        "kernel_h: 2 kernel_w: 4 stride_h: 2 stride_w: 2 pad_h: 0 pad_w: 1"
    ),
    "max, of single pixels": pooling("kernel_size: 1 stride: 2"),
    "global max": pooling("pool: MAX global_pooling: true"),
    "lrn within": plain(
        "LRN",
        "lrn_param { local_size: 3 alpha: 2 beta: .5 "
        "norm_region: WITHIN_CHANNEL }",
    ),
    "lrn of 3": plain("LRN", "lrn_param { local_size: 3 alpha: 3 }"),
    "leaky": plain("ReLU", "relu_param { negative_slope: 0.25 }"),
    "sigmoid": plain("Sigmoid"),
    "tanh": plain("TanH"),
    "softmax of a map": plain("Softmax"),
    "softmax of rows": plain("Softmax", "softmax_param { axis: 2 }"),
    "flatten": plain("Flatten"),
    "flatten, dense": flatten_and_dense,
    "oblong, dense": dense_on_an_oblong,
    "difference": eltwise("{ operation: SUM coeff: 1 coeff: -1 }"),
    "sum": eltwise("{ coeff: 1 coeff: 1 }"),
    "product": eltwise("{ operation: PROD }"),
    "maximum": eltwise("{ operation: MAX }"),
    "concat": concat(1),
    "concat rows": concat(2),
    "concat columns": concat(-1),
    "norm": norm_alone,
    "scale": scale_alone,
    "split": split,
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_that_of_opencv(name, tmp_path):
    net = caffe_nets.Net("one", 9)
    LAYERS[name](net)
    if not net.blobs:
        # A file of no weights at all is none.
        net.blobs["nobody"] = [np.ones(1, "float32")]
    model = compare(net, tmp_path)
    # Written and read again, it is the same function.
    path = tmp_path / "again.caffemodel"
    save_weights(model, path)
    x = np.random.default_rng(2).normal(size=(1, 9, 9, 3)).astype("float32")
    again = load_caffe(path)
    found, wanted = (keras.ops.convert_to_numpy(m(x)) for m in (again, model))
    np.testing.assert_allclose(
        found.reshape(wanted.shape), wanted, rtol=1e-5, atol=1e-6
    )


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="devices of tf.distribute"
)
def test_batch_normalization_is_over_all_replicas(tmp_path):
    from keras_alexnet.distribution import Mirrored
    from keras_alexnet.distribution import on_one_device

    net = caffe_nets.Net("one", 9)
    norm_alone(net)
    prototxt, weights = net.save(tmp_path)
    with Mirrored(["/CPU:0", "/CPU:1"]).scope():
        model = load_caffe(weights, prototxt)
    x = np.random.default_rng(0).normal(size=(4, 9, 9, 3)).astype("float32")
    assert model.get_layer("bn").synchronized
    ordinary = on_one_device(model)
    assert not ordinary.get_layer("bn").synchronized
    np.testing.assert_allclose(
        model.predict(x, verbose=0), ordinary.predict(x, verbose=0), rtol=1e-6
    )


def one_layer(text, folder):
    """What a layer of a few words makes of a map of 9 x 9 pixels."""
    net = caffe_nets.Net("one", 9)
    plain(*text)(net)
    net.blobs["nobody"] = [np.ones(1, "float32")]
    prototxt, weights = net.save(folder)
    x = np.random.default_rng(0).normal(size=(1, 9, 9, 3)).astype("float32")
    model = load_caffe(weights, prototxt)
    return x, keras.ops.convert_to_numpy(model(x))


def test_a_window_larger_than_the_map(tmp_path):
    """pooling_layer.cpp:91: ceil((9 - 10) / 2) + 1 is one window."""
    param = "pooling_param { kernel_size: 10 stride: 2 }"
    x, y = one_layer(("Pooling", param), tmp_path)
    np.testing.assert_array_equal(y, x.max(axis=(1, 2), keepdims=True))


def test_lrn_by_default(tmp_path):
    """caffe.proto: windows of 5, alpha 1, beta 0.75, k 1."""
    x, y = one_layer(("LRN",), tmp_path)
    # Three channels are all in every window of five.
    squares = (x**2).sum(axis=-1, keepdims=True)
    wanted = x / (1 + squares / 5) ** 0.75
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-6)


def small_net():
    net = caffe_nets.Net("small", 12)
    x = net.conv("conv1", "data", 4, 3, relu="relu1")
    x = net.lrn("norm1", net.pool("pool1", x, 3, 2))
    net.norm("bn1", "scale1", x)
    net.softmax(net.dense("fc1", x, 5))
    return net


def line_of(net, name):
    lines = net.text.splitlines()
    return next(
        i
        for i, line in enumerate(lines)
        if line.startswith(f'  name: "{name}"')
    )


@pytest.mark.parametrize(
    "layer, old, new, match",
    [
        ("norm1", 'bottom: "pool1"', 'bottom: "no"', "`no`, which no layer"),
        ("conv1", 'bottom: "data"', 'bottom: "norm1"', "`norm1`.*cycles"),
        ("pool1", 'bottom: "conv1"', 'bottom: "pool1"', "`pool1`.*cycles"),
        ("relu1", 'type: "ReLU"', 'type: "Crop"', "type 'Crop', which is not"),
        ("pool1", 'top: "pool1"', 'top: "data"', "`data`, which another"),
        ("relu1", 'name: "relu1"', 'name: "conv1"', "the name of another"),
        ("conv1", 'top: "conv1"', 'top: "a" top: "b"', "writes 2 blobs"),
        ("norm1", '"pool1"\n', '"pool1" bottom: "data"\n', "reads 2 blobs"),
        ("conv1", 'bottom: "data"', "", "reads nothing"),
        ("conv1", "num_output: 4", "num_output: 999999999", "999999999, its"),
        ("conv1", "kernel_size: 3", "kernel_size: 5", r"window, 5 x 5"),
        ("conv1", "kernel_size: 3", "kernel_size: 3 stride: 0", "stride=.0, 0"),
        ("conv1", "kernel_size: 3", "kernel_size: 3 group: 3", "3 groups"),
        ("conv1", "kernel_size: 3", "kernel_size: 3 pad: 99999", "impossible"),
        (
            "conv1",
            "kernel_size: 3",
            "kernel_size: 3 dilation: 9",
            "windows of .3, 3. pixels, and reads maps of only",
        ),
        ("conv1", "kernel_size: 3", "bias_term: false", "1 are wanted"),
        ("pool1", "kernel_size: 3", "kernel_size: 99", "maps of only .10, 10"),
        ("pool1", "kernel_size: 3", "kernel_size: 3 pad: 3", "must be less"),
        ("pool1", "stride: 2", "stride: 8", "some windows would hold no pixel"),
        ("pool1", "MAX", "STOCHASTIC", "pools stochastically"),
        ("norm1", "local_size: 5", "local_size: 4", "odd sizes only"),
        ("norm1", "beta: 0.75", "beta: -1", "`beta` must be positive"),
        (
            "relu1",
            'top: "conv1"',
            'top: "conv1" relu_param { negative_slope: -1 }',
            "negative_slope=-1",
        ),
        ("scale1", "bias_term: true", "axis: 2 bias_term: true", "begins at"),
        (
            "fc1",
            "num_output: 5",
            "num_output: 7",
            "=7, its weights 5",
        ),
        ("fc1", "num_output: 5", "num_output: 5 axis: 2", "begin at axis 1"),
        ("fc1", 'bottom: "norm1"', 'bottom: "data"', "reads 432 values"),
        ("prob", 'type: "Softmax"', 'type: "Pooling"', "needs maps of images"),
        (
            "prob",
            'top: "prob"',
            'top: "prob" softmax_param { axis: 0 }',
            "works along axis 0",
        ),
        (
            "prob",
            'type: "Softmax"',
            'type: "Concat" bottom: "norm1"',
            "cannot join",
        ),
        (
            "prob",
            'type: "Softmax"',
            'type: "Eltwise" bottom: "norm1"',
            "cannot combine",
        ),
        (
            "prob",
            'type: "Softmax"',
            'type: "Flatten" flatten_param { axis: 2 }',
            "flattens axes",
        ),
        (
            "prob",
            'type: "Softmax"',
            'type: "Dropout" dropout_param { dropout_ratio: 1.5 }',
            "dropout_ratio=1.5",
        ),
        ("prob", 'name: "prob"', "", "has no name"),
        ("data", "dim: 12 dim: 12", "dim: 12 dim: 1000000", "1 to 32768"),
        ("data", "dim: 12 dim: 12", "dim: 12", "which shape"),
    ],
)
def test_graphs_that_are_none(layer, old, new, match, tmp_path):
    net = small_net()
    at = line_of(net, layer)
    before, after = (
        "\n".join(part)
        for part in (
            net.text.splitlines()[: at - 1],
            net.text.splitlines()[at - 1 :],
        )
    )
    assert old in after
    net.text = before + "\n" + after.replace(old, new, 1)
    prototxt, weights = net.save(tmp_path)
    named = rf"net.prototxt cannot be built.*\(line {at}\)"
    with pytest.raises(ValueError, match=f"(?s){named}.*{match}"):
        load_caffe(weights, prototxt)


@pytest.mark.parametrize(
    "name, index, edit, match",
    [
        ("conv1", 0, lambda x: x * np.nan, "NaN or infinity"),
        ("conv1", 0, lambda x: x[:, :2], "the 3 channels that it reads do not"),
        ("conv1", 0, lambda x: x.reshape(4, 27), "not of rank 4"),
        ("conv1", 1, lambda x: x[:-1], r"shape \(3,\) .* \(4,\) is wanted"),
        ("bn1", 0, lambda x: x[:-1], r"shape \(3,\) .* \(4,\) is wanted"),
        ("bn1", 1, lambda x: -x, "negative variances"),
        ("bn1", 2, lambda x: np.ones(2), "3 blobs, not mean, variance"),
        ("scale1", 1, lambda x: x * np.inf, "NaN or infinity"),
        ("fc1", 0, lambda x: x[:, 1:], "reads 100 values"),
        ("fc1", 0, lambda x: x.ravel(), "has a kernel of shape"),
    ],
)
def test_weights_that_do_not_fit(name, index, edit, match, tmp_path):
    net = small_net()
    net.blobs[name][index] = edit(net.blobs[name][index])
    prototxt, weights = net.save(tmp_path)
    where = rf"`{name}` \(line {line_of(net, name)}\)"
    with pytest.raises(ValueError, match=f"{where}.*{match}"):
        load_caffe(weights, prototxt)


def test_weights_that_are_missing(tmp_path):
    net = small_net()
    del net.blobs["fc1"]
    prototxt, weights = net.save(tmp_path)
    with pytest.raises(ValueError, match="`fc1` .*reads|`fc1` .*no weights"):
        load_caffe(weights, prototxt)
    net.blobs = {"other": [np.ones(3, "float32")]}
    prototxt, weights = net.save(tmp_path)
    with pytest.raises(ValueError, match="weights of the layers other; the"):
        load_caffe(weights, prototxt)
    # Weights alone do not say what they are of.
    with pytest.raises(ValueError, match="'unknown here', which is not supp"):
        load_caffe(weights)


def chain(count):
    data = CaffeLayer("data", "Input", (), ("x",), {"shape": (1, 3, 8, 8)})
    names = [f"relu{index}" for index in range(count)]
    relus = [CaffeLayer(name, "ReLU", ("x",), ("x",)) for name in names]
    return CaffeNet("chain", (data, *relus))


@pytest.mark.parametrize(
    "net, match",
    [
        (chain(MOST_LAYERS), "at most 2000 are supported"),
        (chain(30_000), "more than 100000 fields|at most 2000"),
        (chain(1500), "more layers, one after the other, than Keras"),
        (CaffeNet("empty", chain(0).layers), "no layer that computes"),
    ],
    ids=["many", "far too many", "deep", "none"],
)
def test_sizes_are_bounded(net, match, tmp_path):
    path = tmp_path / "net.caffemodel"
    write_caffemodel(path, net)
    started = time.process_time()
    with pytest.raises(ValueError, match=match):
        load_caffe(path)
    assert time.process_time() - started < 20


def test_names_that_keras_does_not_allow(tmp_path):
    net = caffe_nets.Net("net/1", 8)
    x = net.conv("a/b", "data", 2, 3)
    x = net.conv("a_b", x, 2, 3)
    x = net.conv("_ä b:c", x, 2, 3)
    _, weights = net.save(tmp_path, whole=True)
    model = load_caffe(weights)
    assert [layer.name for layer in model.layers] == [
        *("data", "a_b", "a_b_2", "layer___b_c")
    ]
    assert model.name == "net_1"


REPLACEMENTS = (
    *("0", "1", "2", "7", "-1", "0.5", "999999999", "true", "MAX", "{", "}"),
    *("data", "conv1", "pool1", "norm1", "fc1", "prob", "nowhere", ""),
    *("Softmax", "Concat", "Eltwise", "Split", "Flatten", "Data", "Scale"),
    *("pad", "stride", "group", "dilation", "top", "bottom", "axis"),
)


@pytest.mark.slow
def test_damaged_graphs_are_built_or_refused(tmp_path):
    """Words of a sound prototxt, replaced at random."""
    hypothesis = pytest.importorskip("hypothesis")
    st = hypothesis.strategies
    net = small_net()
    prototxt, weights = net.save(tmp_path)
    words = re.split(r"(\w+)", net.text)
    edits = st.lists(
        st.tuples(
            st.integers(0, len(words) // 2 - 1), st.sampled_from(REPLACEMENTS)
        ),
        min_size=1,
        max_size=3,
    )
    results = {"built": 0, "refused": 0}

    @hypothesis.settings(max_examples=300, deadline=None, database=None)
    @hypothesis.given(edits)
    def check(edits):
        changed = list(words)
        for place, word in edits:
            changed[2 * place + 1] = word
        prototxt.write_text("".join(changed))
        started = time.process_time()
        try:
            load_caffe(weights, prototxt)
            results["built"] += 1
        except ValueError as error:
            assert "net.prototxt" in str(error) or "net.caffemodel" in str(
                error
            )
            results["refused"] += 1
        assert time.process_time() - started < 5

    check()
    assert min(results.values()) > 5
