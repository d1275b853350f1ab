"""The patches of a set of images that excite a feature map most."""

import dataclasses

import keras
import numpy as np
from keras import ops

from keras_alexnet.inspection.attributions import deconvnet
from keras_alexnet.inspection.autodiff import as_array
from keras_alexnet.inspection.baseline import neutral_image
from keras_alexnet.inspection.batches import image_batches
from keras_alexnet.inspection.receptive_fields import receptive_fields
from keras_alexnet.inspection.targets import Target
from keras_alexnet.inspection.targets import check_finite
from keras_alexnet.models.layer_graph import whole


@dataclasses.dataclass(frozen=True)
class TopPatches:
    """What `top_patches` has found.

    Attributes:
        layer: String, the layer's name.
        channels: Tuple of integers, the feature maps.
        values: Array `(maps, count)`, activations, the largest first.
        indices: Integer array `(maps, count)`, which image, counted from 0.
        positions: Integer array `(maps, count, 2)`, row and column in the map.
        patches: Array `(maps, count, height, width, channels)`, the pixels
            that the unit sees; the neutral color where it sees beyond the
            image.
        projections: Array of the same shape, the deconvnet's, times the
            activation; `None` if they were not asked for.
    """

    layer: str
    channels: tuple
    values: np.ndarray
    indices: np.ndarray
    positions: np.ndarray
    patches: np.ndarray
    projections: np.ndarray | None


def top_patches(
    model, images, layer, channels=None, count=9, project=True, batch_size=32
):
    """The image patches with the largest activations of each feature map.

    An image is counted once per map, where the map is largest. The images are
    gone through twice, so memory is needed for a batch and the patches only.

    Args:
        model: A `keras.Model` that is a graph of layers, of columns or not.
        images: Array of images as the model takes them, or an iterable of
            batches, or of tuples that begin with such a batch. It must give
            the same images each time that it is gone through.
        layer: String, the name of a layer of maps.
        channels: Sequence of integers, the maps. Defaults to all.
        count: Integer, patches per map. Defaults to `9`.
        project: Boolean. Whether to send each unit back to the pixels, see
            `deconvnet`. Defaults to `True`.
        batch_size: Integer, images at a time. Defaults to `32`.

    Returns:
        A `TopPatches`.

    Raises:
        ValueError: If there are fewer images than `count`, if the layer gives
            no maps or has no such channels, or if the images can be gone
            through only once.

    Example:

    >>> import numpy as np
    >>> from keras_alexnet.models import CIFARNet
    >>> model = CIFARNet(architecture="cifar_26")
    >>> images = np.random.default_rng(0).normal(size=(12, 32, 32, 3))
    >>> top_patches(model, images, "conv1", range(4), count=2).patches.shape
    (4, 2, 5, 5, 3)

    Reference: [Zeiler and Fergus, 2014](https://arxiv.org/abs/1311.2901),
    section 4 and figure 2.
    """
    model = whole(model)
    target = Target(model, layer)
    shape = target.layer.output.shape
    if len(shape) != 4:
        raise ValueError(
            f"`layer` must be one of maps. Received: layer={layer!r} of shape "
            f"{shape}"
        )
    if channels is None:
        channels = range(shape[target.axis])
    channels = tuple(channels)
    Target(model, layer, unit=channels)
    field = receptive_fields(keras.Model(model.inputs, target.layer.output))
    values, indices, positions = _find(
        target, images, channels, count, batch_size
    )
    size = field[layer].size
    cutter = _Cutter(target, field[layer], channels, positions)
    empty = (*values.shape, *size, images_channels(model))
    patches = np.zeros(empty, "float32")
    projections = np.zeros(empty, "float32") if project else None
    for index, image in _wanted(images, set(indices.ravel()), batch_size):
        for place in zip(*np.nonzero(indices == index), strict=True):
            patches[place] = cutter.patch(image, place)
            if project:
                signal = cutter.projection(image, place)
                projections[place] = values[place] * signal
    return TopPatches(
        layer, channels, values, indices, positions, patches, projections
    )


def images_channels(model):
    """Channels of the images that a model takes."""
    shape = model.inputs[0].shape
    first = keras.config.image_data_format() == "channels_first"
    return shape[1] if first else shape[-1]


def _find(target, images, channels, count, batch_size):
    """Values, indices and places of the largest, per map."""
    values, indices, positions = [], [], []
    seen = 0
    for batch in image_batches(images, batch_size):
        maps = as_array(target(ops.convert_to_tensor(batch)))
        check_finite(maps, target.layer)
        maps = np.moveaxis(maps, target.axis, -1)[..., list(channels)]
        flat = maps.reshape(len(maps), -1, len(channels))
        best = flat.argmax(axis=1)
        values.append(flat.max(axis=1))
        positions.append(np.stack(np.divmod(best, maps.shape[2]), axis=-1))
        indices.append(np.arange(seen, seen + len(maps)))
        seen += len(maps)
        # What is no longer among the best is forgotten.
        values, positions, indices = _best(values, positions, indices, count)
    if isinstance(count, bool) or not 1 <= count <= seen:
        raise ValueError(
            "`count` must be from 1 to the number of images. "
            f"Received: count={count} for {seen} images"
        )
    return values[0].T, indices[0].T, np.swapaxes(positions[0], 0, 1)


def _best(values, positions, indices, count):
    values = np.concatenate(values)
    maps = values.shape[1]
    indices = np.concatenate(
        [
            i if i.ndim == 2 else np.repeat(i[:, None], maps, axis=1)
            for i in indices
        ]
    )
    positions = np.concatenate(positions)
    order = np.argsort(-values, axis=0, kind="stable")[: max(1, count)]
    return (
        [np.take_along_axis(values, order, axis=0)],
        [np.take_along_axis(positions, order[..., None], axis=0)],
        [np.take_along_axis(indices, order, axis=0)],
    )


def _wanted(images, indices, batch_size):
    seen = 0
    for batch in image_batches(images, batch_size):
        for number, image in enumerate(batch, start=seen):
            if number in indices:
                yield number, image
        seen += len(batch)
    if not seen > max(indices):
        raise ValueError(
            "`images` must give the same images each time that it is gone "
            f"through. Received: {seen} images the second time"
        )


class _Cutter:
    """Cuts what a unit sees out of an image."""

    def __init__(self, target, field, channels, positions):
        self.target = target
        self.field = field
        self.channels = channels
        self.positions = positions
        self.first = keras.config.image_data_format() == "channels_first"

    def patch(self, image, place):
        neutral = neutral_image(self.target.model, image[None])
        return self._cut(image, place, neutral)

    def projection(self, image, place):
        signal = deconvnet(
            self.target.model,
            image[None],
            self.target.layer.name,
            self.channels[place[0]],
            tuple(self.positions[place]),
        )
        return self._cut(signal[0], place, np.zeros_like(signal[0]))

    def _cut(self, image, place, background):
        if self.first:
            image, background = (
                np.moveaxis(x, 0, -1) for x in (image, background)
            )
        top, left, bottom, right = self.field.window(*self.positions[place])
        height, width = image.shape[:2]
        found = np.empty((bottom - top, right - left, image.shape[-1]))
        # The background's mean: beyond its edge it has no pixel.
        found[:] = background.mean(axis=(0, 1))
        rows = slice(max(top, 0), min(bottom, height))
        columns = slice(max(left, 0), min(right, width))
        found[
            rows.start - top : rows.stop - top,
            columns.start - left : columns.stop - left,
        ] = image[rows, columns]
        return found
