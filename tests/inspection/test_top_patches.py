"""The strongest patches: found, cut out and projected."""

import keras
import numpy as np
import pytest
from inspected_networks import small_network
from small_networks import outputs

from keras_alexnet.inspection import deconvnet
from keras_alexnet.inspection import receptive_fields
from keras_alexnet.inspection import top_patches

if keras.config.image_data_format() != "channels_last":
    pytest.skip("truths are channels last", allow_module_level=True)


@pytest.fixture(scope="module")
def network():
    return small_network("paper")


def pictures(count=7):
    random = np.random.default_rng(0)
    return random.normal(0, 3, (count, 99, 99, 3)).astype("float32")


def test_they_are_the_largest_with_their_pixels_and_projections(network):
    images = pictures()
    batches = [(images[:3], None), (images[3:], None)]
    found = top_patches(network, batches, "conv2", channels=(1, 6), count=3)
    maps, _ = outputs(network, images, ["conv2", "prob"])
    field = receptive_fields(network)["conv2"]
    assert found.patches.shape == (2, 3, *field.size, 3)
    for place, channel in enumerate(found.channels):
        largest = maps[..., channel].max(axis=(1, 2))
        order = np.argsort(-largest)[:3]
        assert found.indices[place].tolist() == order.tolist()
        np.testing.assert_allclose(
            found.values[place], largest[order], rtol=1e-4
        )
        for rank, index in enumerate(order):
            row, column = found.positions[place, rank]
            value = maps[index, row, column, channel]
            assert found.values[place, rank] == pytest.approx(value, rel=1e-4)
            top, left, bottom, right = field.window(row, column)
            inside = np.pad(images[index], ((99, 99), (99, 99), (0, 0)))
            np.testing.assert_array_equal(
                found.patches[place, rank],
                inside[99 + top : 99 + bottom, 99 + left : 99 + right],
            )
            signal = deconvnet(
                network, images[index][None], "conv2", channel, (row, column)
            )[0]
            signal = np.pad(signal, ((99, 99), (99, 99), (0, 0)))
            np.testing.assert_allclose(
                found.projections[place, rank],
                value * signal[99 + top : 99 + bottom, 99 + left : 99 + right],
                atol=1e-4 * np.abs(signal * value).max(),
            )
    again = top_patches(network, images, "conv2", (1, 6), 3, project=False)
    np.testing.assert_array_equal(again.indices, found.indices)
    assert again.projections is None


def test_beyond_the_edge_is_the_neutral_color():
    model = small_network("cifar_26", include_preprocessing=True)
    image = np.zeros((1, 32, 32, 3), "float32")
    image[0, :2, :2] = 255
    found = top_patches(model, image, "conv1", count=1, project=False)
    mean = np.float32(model.layers[1].mean)
    canvas = np.broadcast_to(mean, (36, 36, 3)).copy()
    canvas[2:34, 2:34] = image[0]
    positions = found.positions[:, 0]
    # Some unit sees beyond the edge, by its padding of two pixels.
    assert (positions < 2).any() or (positions > 29).any()
    for (row, column), patch in zip(
        positions, found.patches[:, 0], strict=True
    ):
        wanted = canvas[row : row + 5, column : column + 5]
        np.testing.assert_allclose(patch, wanted, atol=1e-2)


def test_all_maps_by_default():
    model = small_network("cifar_26")
    found = top_patches(
        model, np.ones((2, 32, 32, 3)), "conv1", count=2, project=False
    )
    assert found.channels == tuple(range(8)) and found.values.shape == (8, 2)


@pytest.mark.parametrize(
    "options, match",
    [
        ({"layer": "fc6"}, "`layer` must be one of maps. Rec.*'fc6'"),
        ({"layer": "conv8"}, "`layer` must be the name .*'conv8'"),
        ({"channels": [16]}, "`unit` must be in 0 to 15, the units of 'conv2'"),
        ({"count": 8}, "`count` must be from 1 to the number .*=8 for 7"),
        ({"count": 0}, "`count` must be from 1"),
        ({"images": iter([pictures()])}, "gone through again"),
        ({"images": pictures()[0]}, "`images` must have shape"),
    ],
)
def test_wrong_arguments_are_refused(options, match, network):
    arguments = {"images": pictures(), "layer": "conv2", **options}
    with pytest.raises(ValueError, match=match):
        top_patches(network, **arguments)


def test_images_that_change_are_refused(network):
    class Once:
        """Gives its images the first time only."""

        calls = 0

        def __iter__(self):
            self.calls += 1
            yield pictures(7 if self.calls == 1 else 1)

    with pytest.raises(ValueError, match="same images each time"):
        top_patches(network, Once(), "conv1", [0], count=3, project=False)
