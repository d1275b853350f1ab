"""Caffe's networks: recognized, and computed as OpenCV computes them."""

import dataclasses

import numpy as np
import pytest
from small_networks import CLASSES
from small_networks import build
from small_networks import outputs
from small_networks import predict
from small_networks import small

from keras_alexnet.models import save_weights
from keras_alexnet.models.caffe_import import read_caffe
from keras_alexnet.models.caffe_import import read_mean_image
from keras_alexnet.models.difference import difference
from keras_alexnet.models.geometry import sizes
from keras_alexnet.models.presets import CAFFE
from keras_alexnet.models.presets import CAFFENET
from keras_alexnet.models.pretrained import load_weights

pytest.importorskip("google.protobuf")
import caffe_files  # noqa: E402

COMPARED = ("norm1", "pool2", "pool5", "fc6", "fc8", "prob")
# In OpenCV a layer and the ReLU after it are two.
OPENCV_NAMES = {"fc6": "relu6"}


def save(message, path):
    path.write_bytes(message.SerializeToString())
    return path


def agree(model, path, x, names=COMPARED, scale=1.0, theirs=None):
    """Compares a network, of `x / scale`, with OpenCV on its files."""
    cv2 = pytest.importorskip("cv2", reason="needs OpenCV to compare with")
    net = cv2.dnn.readNetFromCaffe(
        str(path.with_suffix(".prototxt")), str(path)
    )
    net.setInput(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    theirs = net.forward(
        theirs or [OPENCV_NAMES.get(name, name) for name in names]
    )
    for name, wanted, found in zip(
        names, theirs, outputs(model, x / scale, names), strict=True
    ):
        if found.ndim == 4:
            found = found.transpose(0, 3, 1, 2)
        largest = np.abs(wanted).max()
        assert largest > 1e-3, name
        assert name != "prob" or largest < 0.99
        assert np.abs(found - wanted).max() <= 1e-4 * largest, name


def inputs(size, count=2):
    random = np.random.default_rng(0)
    return random.normal(0, 60, (count, size, size, 3)).astype("float32")


@pytest.mark.parametrize(
    "architecture",
    [
        small("caffe"),
        small("caffenet"),
        # (OpenCV ignores k.)
        small("caffe", lrn_n=3, lrn_alpha=1e-2, lrn_beta=0.5),
        small("caffe", lrn_convention="sum", lrn_alpha=1e-3),
        small("caffe", columns=1),
        small("caffe", cross=("conv2", "conv4", "fc6", "fc7")),
        # 98 pixels: pooling windows hang over the edge.
        small("caffe", input_size=98),
        small(
            "paper",
            lrn_k=1.0,
            lrn_across_columns=True,
            channel_order="bgr",
        ),
    ],
    ids=["caffe", "caffenet", "lrn", "sum", "one", "cross", "edge", "paper"],
)
def test_opencv_computes_the_same(architecture, tmp_path):
    model = build(architecture)
    path = tmp_path / "net.caffemodel"
    save_weights(model, path)
    agree(model, path, inputs(architecture.input_size))


@pytest.mark.parametrize(
    "architecture, names",
    [
        (
            small(
                "one_gpu",
                lrn_k=1.0,
                channel_order="bgr",
                input_size=99,
                paddings=("valid", *["same"] * 4),
            ),
            ("norm1", "spatial_norm2", "pool5", "prob"),
        ),
        (small("caffe", activation="tanh"), ("norm1", "tanh6", "prob")),
        (small("caffe", normalization="batch"), ("pool2", "pool5", "fc8")),
        # The dense layers are convolutions in groups.
        (small("caffe", cross=("conv3",)), ("pool5", "fc8", "prob")),
        # Windows hang over the edge, and average what is inside.
        (
            small("caffe", average_pools=("conv1", "conv2"), input_size=98),
            ("pool1", "pool2", "pool5", "prob"),
        ),
    ],
    ids=["one_gpu", "tanh", "batch", "cross", "average"],
)
def test_opencv_computes_more_kinds_of_layers(architecture, names, tmp_path):
    model = build(architecture)
    for layer in model.layers:
        if layer.name.startswith("norm") and layer.weights:
            random = np.random.default_rng(0)
            layer.set_weights(
                [random.uniform(0.5, 2, w.shape) for w in layer.weights]
            )
    path = tmp_path / "net.caffemodel"
    save_weights(model, path)
    own = ["fc6" if name == "tanh6" else name for name in names]
    agree(model, path, inputs(architecture.input_size), own, theirs=names)


def test_opencv_computes_the_same_without_norms(tmp_path):
    architecture = small("owt", channel_order="bgr")
    model = build(architecture)
    path = tmp_path / "net.caffemodel"
    save_weights(model, path)
    # The file takes pixels as Caffe has them, not of unit variance.
    x = inputs(95) * np.divide(architecture.pixel_std, 60)[::-1]
    names = ("pool1", "pool2", "pool5", "fc6", "prob")
    agree(model, path, x, names, scale=architecture.pixel_std[::-1])


@pytest.mark.parametrize("generation", [0, 1, 2])
@pytest.mark.parametrize("preset", ["caffe", "caffenet"])
def test_files_of_every_generation(preset, generation, tmp_path):
    """Files that Google's runtime wrote, in Caffe's own layer lists."""
    message, _ = caffe_files.alexnet(generation, caffenet=preset == "caffenet")
    path = save(message, tmp_path / "net.caffemodel")
    architecture, classes, _ = read_caffe(path)
    wanted = dataclasses.replace(
        {"caffe": CAFFE, "caffenet": CAFFENET}[preset],
        filters=(8, 8, 12, 12, 8),
        fc_units=(20, 24),
        input_size=99,
    )
    assert difference(architecture, wanted) == ""
    assert architecture.name == preset
    assert classes == CLASSES
    model = build(architecture)
    load_weights(model, path)
    # The prototxt is ours; the weights are read from the foreign file.
    save_weights(build(architecture), tmp_path / "b.caffemodel")
    (tmp_path / "b.prototxt").rename(tmp_path / "net.prototxt")
    if generation > 0:
        agree(model, path, inputs(99))
    else:
        # OpenCV does not know the oldest format.
        newer, _ = caffe_files.alexnet(2, caffenet=preset == "caffenet")
        agree(model, save(newer, path), inputs(99))


@pytest.mark.parametrize("preset", ["caffe", "caffenet"])
def test_round_trip_is_exact(preset, tmp_path):
    message, arrays = caffe_files.alexnet(caffenet=preset == "caffenet")
    path = save(message, tmp_path / "theirs.caffemodel")
    architecture, _, _ = read_caffe(path)
    model = build(architecture)
    load_weights(model, path)
    save_weights(model, tmp_path / "ours.caffemodel")
    again = caffe_files.message("NetParameter")()
    again.ParseFromString((tmp_path / "ours.caffemodel").read_bytes())
    found = {layer.name: layer.blobs for layer in again.layer}
    for name, wanted in arrays.items():
        for blob, array in zip(found[name], wanted, strict=True):
            assert tuple(blob.shape.dim) == array.shape
            np.testing.assert_array_equal(
                np.asarray(blob.data, "float32"), array.ravel()
            )
    other = build(architecture, seed=2)
    load_weights(other, tmp_path / "ours.caffemodel")
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_raw_rgb_images_as_opencv_prepares_them(tmp_path):
    cv2 = pytest.importorskip("cv2", reason="needs OpenCV to compare with")
    architecture = small("caffe")
    model = build(architecture, include_preprocessing=True)
    path = tmp_path / "net.caffemodel"
    save_weights(model, path)
    image = np.random.default_rng(0).integers(0, 256, (99, 99, 3), "uint8")
    net = cv2.dnn.readNetFromCaffe(
        str(path.with_suffix(".prototxt")), str(path)
    )
    # As everyone does: BGR, as `cv2.imread` gives it, and the mean in BGR.
    bgr = np.ascontiguousarray(image[..., ::-1])
    net.setInput(cv2.dnn.blobFromImage(bgr, mean=(104.01, 116.67, 122.68)))
    np.testing.assert_allclose(
        predict(model, image[None]), net.forward(), rtol=1e-4, atol=1e-6
    )


def test_the_first_half_of_the_channels_is_the_first_column(tmp_path):
    """conv2 of a file is two convolutions of half the channels each."""
    torch = pytest.importorskip("torch")
    message, arrays = caffe_files.alexnet()
    path = save(message, tmp_path / "net.caffemodel")
    architecture, _, _ = read_caffe(path)
    model = build(architecture)
    load_weights(model, path)
    pool1, conv2 = outputs(model, inputs(99), ["pool1", "conv2"])
    kernel, bias = map(torch.tensor, arrays["conv2"])
    x = torch.tensor(pool1.transpose(0, 3, 1, 2))
    halves = [
        torch.nn.functional.conv2d(
            x[:, part], kernel[out], bias[out], padding=2
        )
        for part, out in ((slice(0, 4),) * 2, (slice(4, 8),) * 2)
    ]
    wanted = torch.relu(torch.cat(halves, dim=1)).numpy()
    np.testing.assert_allclose(
        conv2.transpose(0, 3, 1, 2), wanted, rtol=1e-4, atol=1e-4
    )


def test_settings_that_are_not_stated_are_those_of_caffe(tmp_path):
    message, _ = caffe_files.alexnet(input_size=227, map_size=6)
    for layer in message.layer:
        for field, _ in layer.ListFields():
            if field.name.endswith("_param"):
                layer.ClearField(field.name)
    path = save(message, tmp_path / "net.caffemodel")
    architecture, _, _ = read_caffe(path)
    widths = {"filters": architecture.filters, "fc_units": (20, 24)}
    wanted = dataclasses.replace(CAFFE, **widths)
    assert difference(architecture, wanted) == ""


def test_a_fine_tuned_last_layer_has_any_name(tmp_path):
    message, _ = caffe_files.alexnet(classes=20)
    message.layer[-2].name = "fc8_flickr"
    message.layer[-2].top[0] = message.layer[-1].bottom[0] = "fc8_flickr"
    path = save(message, tmp_path / "net.caffemodel")
    assert read_caffe(path)[1] == 20


def change(name, **settings):
    """Edits the layer of a message."""

    def edit(net):
        layer = next(layer for layer in net.layer if layer.name == name)
        for key, value in settings.items():
            if "__" in key:
                parameter, key = key.split("__")
                target = getattr(layer, parameter)
            else:
                target = layer
            if isinstance(value, list):
                target.ClearField(key)
                getattr(target, key).extend(value)
            else:
                setattr(target, key, value)

    return edit


def reshape(name, *sides):
    def edit(net):
        layer = next(layer for layer in net.layer if layer.name == name)
        del layer.blobs[0].shape.dim[:]
        layer.blobs[0].shape.dim.extend(sides)

    return edit


def drop(name):
    def edit(net):
        kept = [layer for layer in net.layer if layer.name != name]
        del net.layer[:]
        net.layer.extend(kept)

    return edit


def drop_bias(net):
    del net.layer[1].blobs[1]


@pytest.mark.parametrize(
    "edit, match",
    [
        (change("relu3", type="Sigmoid"), "`relu3` is a Sigmoid layer"),
        (change("conv3", bottom=["pool1"]), "`conv3` reads `pool1`"),
        (drop("conv4"), "`relu4` reads `conv4`, where"),
        (drop("fc7"), "`relu7` reads `fc7`"),
        (drop_bias, r"`conv1` has blobs of shapes \[\(8, 3, 11, 11\)\], not"),
        (reshape("conv2", 8, 4, 25, 1), "`conv2` .* square kernel"),
        (reshape("conv2", 4, 8, 5, 5), "`conv2` .* one bias per output"),
        (reshape("conv3", 12, 72), "`conv3` .* kernel of rank 4"),
        (reshape("conv3", 12, 1, 8, 9), "`conv3` .* square kernel"),
        (
            change("conv3", convolution_param__group=2),
            r"`conv3` is stated to have 2 groups.*\(12, 8, 3, 3\) has 1",
        ),
        (
            change("conv2", convolution_param__dilation=[2]),
            "`conv2` has a kernel of 5 x 5 .* dilation 2",
        ),
        (
            change("conv2", convolution_param__stride=[0]),
            r"`conv2` .* strides \[0\]",
        ),
        (
            change("conv2", convolution_param__pad=[7]),
            r"`conv2` .* padding \[7\]",
        ),
        (
            change("relu3", relu_param__negative_slope=0.1),
            "`relu3` has negative_slope=0.1",
        ),
        (
            change("pool2", pooling_param__stride_h=1),
            "`pool2` has strides of .*equal sides",
        ),
        (
            change("pool2", pooling_param__round_mode=1),
            "`pool2` has round_mode=1",
        ),
        (
            change("pool2", pooling_param__pad_w=1),
            "`pool2` has pad_w=1",
        ),
        (
            change("norm2", lrn_param__local_size=3),
            "`norm2` has local_size=3, where 5 is wanted",
        ),
        (
            change("norm1", lrn_param__norm_region=1),
            "`norm1` has norm_region=1, where 0",
        ),
        (
            change("pool5", pooling_param__pool=1),
            "`pool5` has pool=1, where 0",
        ),
        (
            change("pool1", pooling_param__stride=0),
            "`pool2` has stride=2, where 0",
        ),
        (
            change("fc7", inner_product_param__transpose=True),
            "`fc7` has a transposed kernel",
        ),
        (reshape("fc6", 20, 16, 2, 1), "`fc6` .* kernel of rank 2"),
        (reshape("fc7", 24, 10, 2, 1), "`fc7` .* kernel of rank 2"),
        (drop("relu6"), r"`fc6` is followed by \[\]"),
        (change("loss", type="ReLU"), r"`fc8` is followed by \['ReLU'\]"),
    ],
)
def test_what_is_no_alexnet_is_refused(edit, match, tmp_path):
    message, _ = caffe_files.alexnet()
    edit(message)
    path = save(message, tmp_path / "net.caffemodel")
    with pytest.raises(ValueError, match=f"(?s)no network.*{match}"):
        read_caffe(path)


def test_unequal_sides_are_refused(tmp_path):
    message, _ = caffe_files.alexnet()
    change("conv2", convolution_param__stride=[1, 2])(message)
    path = save(message, tmp_path / "net.caffemodel")
    with pytest.raises(ValueError, match=r"`conv2` .* strides \[1, 2\]"):
        read_caffe(path)
    change("conv2", convolution_param__stride=[1, 2, 3])(message)
    match = r"stride of layer `conv2` is \[1, 2, 3\], where one number"
    with pytest.raises(ValueError, match=match):
        read_caffe(save(message, path))


def test_a_map_that_images_do_not_give_is_refused(tmp_path):
    message, _ = caffe_files.alexnet(map_size=3)
    path = save(message, tmp_path / "net.caffemodel")
    match = "`fc6` has 72 inputs, a map of 3 x 3 .* images of 99 pixels"
    with pytest.raises(ValueError, match=match):
        read_caffe(path)
    # Where the file does not say how large images are, one is found.
    message.layer[0].ClearField("transform_param")
    architecture, _, _ = read_caffe(save(message, path))
    assert list(sizes(architecture).values())[-1] == 3


@pytest.mark.parametrize(
    "architecture, reason",
    [
        (small("paper"), "`norm1` normalizes 2 columns.*`lrn_across_columns`"),
        (
            small("paper", lrn_across_columns=True, input_size=98),
            "`conv1` pads an image on one side only, see `paddings`",
        ),
        (small("code_2012"), "`norm1` normalizes 2 columns"),
        (small("owt", input_size=99), "`pool1` gives .* `pool_rounding`"),
        (
            small("caffe", activation="elu"),
            "`conv1` has the `activation` 'elu'",
        ),
        (small("caffe", kernel_sizes=(11, 4, 3, 3, 3)), "`conv2` pads"),
        (small("caffe", lrn_n=4), "`norm1` has an even window, n=4"),
        (
            small("caffe", columns=1, unshared=("conv3",)),
            "`conv3` is a LocallyConnected2D layer",
        ),
    ],
)
def test_what_caffe_cannot_compute_is_not_written(
    architecture, reason, tmp_path
):
    model = build(architecture)
    path = tmp_path / "net.caffemodel"
    match = f"Caffe cannot compute the network '{architecture.name}'.*{reason}"
    with pytest.raises(ValueError, match=match):
        save_weights(model, path)
    assert not list(tmp_path.iterdir())


def test_mean_image(tmp_path):
    bgr = np.arange(24, dtype="float32").reshape(3, 2, 4)
    blob = caffe_files.message("BlobProto")(data=bgr.ravel())
    blob.num, blob.channels, blob.height, blob.width = 1, 3, 2, 4
    path = save(blob, tmp_path / "mean.binaryproto")
    image = read_mean_image(path)
    assert image.shape == (2, 4, 3)
    np.testing.assert_array_equal(image[..., 0], bgr[2])
    architecture = small("caffe", mean="image")
    model = build(architecture, include_preprocessing=True)
    model.get_layer("preprocessing").set_mean(np.tile(image, (50, 25, 1)))
    blob.channels, blob.height = 2, 3
    with pytest.raises(ValueError, match=r"no color image|not a color image"):
        read_mean_image(save(blob, path))


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["caffe", "caffenet"])
def test_the_full_network_in_opencv(preset, tmp_path):
    model = build(preset, classes=1000)
    path = tmp_path / "net.caffemodel"
    save_weights(model, path)
    assert 243e6 < path.stat().st_size < 244.5e6
    again = build(preset, seed=2, classes=1000)
    load_weights(again, path)
    agree(again, path, inputs(227, count=1))
