"""The images of a run, opened again."""

import itertools

import numpy as np
import tensorflow as tf

from keras_alexnet.data import crops
from keras_alexnet.data.load_source import load_source
from keras_alexnet.data.loader import image_size
from keras_alexnet.data.loader import loader
from keras_alexnet.data.pipelines import evaluation_data
from keras_alexnet.data.source import Source
from keras_alexnet.models.network import class_count

# The shares that `train` holds out by itself.
HELD_OUT = (0.0, 0.1)


class TestImages:
    """The images by which a run is judged.

    Args:
        run: A `Run`.
        model: Its `keras.Model`.
        source: As of `write_report`.
        data_dir, on_error: As of `load_source`.
        split: String.

    Attributes:
        source: The `Source`.
        split: String, the name of its split.
        notes: List of strings, what a reader must know about the images.

    Raises:
        ValueError: If the images are not there, or of other classes.
    """

    # pytest takes it for a test otherwise.
    __test__ = False

    def __init__(self, run, model, source, data_dir, split, on_error):
        data = run.settings.get("data") or {}
        self.notes = []
        self.split = split
        self.source = source
        if not isinstance(source, Source):
            self.source = _opened(source, data, data_dir, on_error)
        if len(self.source.class_names) != class_count(model):
            raise ValueError(
                f"The network has {class_count(model)} classes, "
                f"{self.source.name} has {len(self.source.class_names)}. Give "
                "the images that it was trained on as `source`."
            )
        self._images = self.source.split(split)
        self._size = model.input_shape[1]
        self._resize = image_size(model)
        self._load = loader(self.source, split, self._resize)
        if data.get("fingerprint") != self.source.fingerprint:
            self.notes.append(
                "These images are not known to be those of the training: "
                "files were changed, added or removed since, another share "
                "was held out, or damaged files were left out of one of the "
                'two (on_error="skip"). Test images may have been trained on.'
            )

    def dataset(self):
        """Batches of whole images and labels, for `answers`."""
        return evaluation_data(
            self.source, self.split, self._size, 32, self._resize
        )

    def images(self, indices):
        """uint8 RGB array of the central views of some images."""
        numbers = np.asarray(indices, "int64")
        # Within a dataset, where the notice of damaged files works.
        found = tf.data.Dataset.from_tensor_slices(numbers).map(self._load)
        shape = (0, self._size, self._size, 3)
        views = [
            crops.center_view(image[None], self._size)
            for image, _ in (found if len(numbers) else ())
        ]
        return np.concatenate([np.zeros(shape, "uint8"), *views])

    def spread(self, count):
        """As many central views, evenly spread over the split."""
        count = min(count, self._images.count)
        places = np.linspace(0, self._images.count - 1, count).round()
        return self.images(places.astype("int64"))

    def name(self, index):
        """What tells a person which image it is."""
        return self._images.name_of(int(index))


def _opened(source, data, data_dir, on_error):
    """The source as it was for the training, if that is found out."""
    name = source if source is not None else data.get("source")
    if source is None and name in (None, "arrays"):
        raise ValueError(
            "The training was on arrays, which no file tells. Give them as "
            "`source`, in the same way as to `train`."
        )
    # A `Source` that `train` was given may have another seed than it.
    seeds = data.get("seed", 0), 0
    first = None
    for holdout, seed in dict.fromkeys(itertools.product(HELD_OUT, seeds)):
        try:
            found = load_source(
                name, data_dir, holdout=holdout, seed=seed, on_error=on_error
            )
        except ValueError as error:
            if first is not None:
                # There is nothing, or too little, to hold out.
                continue
            raise ValueError(
                f"The images of the training, {name!r}, cannot be opened "
                f"({error}). Say where they are: `source=` or `data_dir=`, in "
                "the shell --dataset= or --data_dir=."
            ) from error
        if found.fingerprint == data.get("fingerprint"):
            return found
        first = first or found
    return first
