"""Occlusion: the definition, place by place, and what must not matter."""

import keras
import numpy as np
import pytest
from inspected_networks import small_network
from small_networks import outputs

from keras_alexnet.inspection import occlusion

if keras.config.image_data_format() != "channels_last":
    pytest.skip("truths are channels last", allow_module_level=True)


@pytest.fixture(scope="module")
def network():
    return small_network("paper")


def picture(seed=0):
    random = np.random.default_rng(seed)
    return random.normal(0, 5, (99, 99, 3)).astype("float32")


def test_each_place_is_what_the_covered_image_gives(network):
    image = picture()
    found = occlusion(network, image, unit=2, size=30, stride=25, color=7)
    # The last square of a row ends at the edge.
    assert found.tops.tolist() == found.lefts.tolist() == [0, 25, 50, 69]
    assert found.probability.shape == (4, 4)
    conv5, prob = outputs(network, image[None], ["conv5", "prob"])
    strongest = conv5[0].sum(axis=(0, 1)).argmax()
    assert (found.maps, found.channel) == ("conv5", strongest)
    for row, column in ((0, 0), (1, 3), (3, 2)):
        covered = image.copy()
        top, left = found.tops[row], found.lefts[column]
        covered[top : top + 30, left : left + 30] = 7
        maps, prob = outputs(network, covered[None], ["conv5", "prob"])
        assert found.label[row, column] == prob[0].argmax()
        assert found.probability[row, column] == pytest.approx(
            prob[0, 2], rel=1e-4
        )
        assert found.activation[row, column] == pytest.approx(
            maps[0, ..., strongest].sum(), rel=1e-4
        )


def test_a_cover_of_the_images_own_color_changes_nothing(network):
    image = np.broadcast_to(np.float32([3, -2, 1]), (99, 99, 3))
    found = occlusion(network, image, stride=40, color=[3, -2, 1])
    np.testing.assert_allclose(found.activation, found.uncovered[0], rtol=1e-5)
    np.testing.assert_allclose(found.probability, found.uncovered[1], rtol=1e-5)
    assert (found.label == found.unit).all()


def test_defaults(network):
    image = picture(1)
    found = occlusion(network, image, maps="conv2", stride=50)
    _, prob = outputs(network, image[None], ["conv5", "prob"])
    assert found.unit == prob[0].argmax() and found.size == 24
    assert found.maps == "conv2"
    raw = small_network("cifar_26", include_preprocessing=True)
    image = np.full((32, 32, 3), 200.0, "float32")
    plain, given = (
        occlusion(raw, image, stride=16, color=color)
        for color in (None, raw.layers[1].mean)
    )
    np.testing.assert_array_equal(plain.activation, given.activation)
    black = occlusion(raw, image, stride=16, color=0)
    assert np.abs(black.activation - plain.activation).max() > 1


@pytest.mark.parametrize(
    "options, match",
    [
        ({"unit": 10}, "`unit` must be in 0 to 9"),
        ({"size": 100}, "`size` must be an integer from 1 to 99"),
        ({"size": 2.5}, "`size` must be an integer"),
        ({"stride": 0}, "`stride` must be an integer from 1 to 99"),
        ({"maps": "fc7"}, "`maps` must be a layer of maps"),
        ({"color": [1, 2]}, "neutral image must be one number"),
    ],
)
def test_wrong_arguments_are_refused(options, match, network):
    with pytest.raises(ValueError, match=match):
        occlusion(network, picture(), **options)


def test_a_model_without_probabilities_is_refused():
    model = small_network("cifar_26", classifier_activation=None)
    with pytest.raises(ValueError, match="must end with probabilities"):
        occlusion(model, np.ones((32, 32, 3)))
