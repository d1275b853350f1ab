"""Refuses wrong arguments of evaluation, and numbers that are not finite."""

import keras
import numpy as np

from keras_alexnet.data.pipelines import TrainingData
from keras_alexnet.data.source import Source
from keras_alexnet.layers.mean_subtraction import MeanSubtraction
from keras_alexnet.models.network import all_layers

WANTED = (
    "`data` must be batches of images and labels, such as "
    "`evaluation_data(source, input_size=...)` or `[(images, labels)]`"
)


def batches(data):
    """Pairs of images and labels, one per batch.

    Args:
        data: See `evaluate`.

    Yields:
        Tuples `(images, labels)`.

    Raises:
        ValueError: If `data` is something else, or would never end.

    Example:

    >>> [labels for _, labels in batches([(np.zeros((1, 8, 8, 3)), [4])])]
    [[4]]
    """
    is_pair = isinstance(data, tuple) and len(data) == 2
    if isinstance(data, Source | TrainingData | str) or hasattr(data, "shape"):
        _refuse(data)
    if is_pair and hasattr(data[0], "shape") and np.ndim(data[1]) < 3:
        raise ValueError(
            f"{WANTED}. Received: a pair of arrays; put it in a list"
        )
    # So tf.data says that a dataset repeats for ever.
    if hasattr(data, "cardinality") and int(data.cardinality()) == -1:
        raise ValueError(f"{WANTED}. Received: a dataset without an end")
    if isinstance(data, keras.utils.PyDataset):
        data = map(data.__getitem__, range(len(data)))
    for batch in data:
        if not isinstance(batch, tuple | list) or len(batch) < 2:
            _refuse(batch, "a batch is ")
        yield batch[0], batch[1]


def check_one_replica(model):
    """Refuses a model that several replicas hold.

    Each of them would predict all images, and the predictions of all come back.

    Args:
        model: A `keras.Model`.

    Raises:
        ValueError: If its strategy has several replicas.

    Example:

    >>> check_one_replica(keras.Sequential())
    """
    strategy = getattr(model, "distribute_strategy", None)
    replicas = getattr(strategy, "num_replicas_in_sync", 1)
    if replicas > 1:
        raise ValueError(
            "`model` must be on one device, else each replica predicts all "
            "images. Copy it: `keras_alexnet.distribution.on_one_device("
            f"model)`. Received: a model of {replicas} replicas, under "
            f"{type(strategy).__name__}"
        )


def check_images(images):
    """Refuses what is no batch of images, or has values that are not finite.

    Some layers turn NaN into numbers, and the network would predict a class.

    Args:
        images: Array or tensor.

    Raises:
        ValueError: If it has not four axes, or holds NaN or infinity.

    Example:

    >>> check_images(np.zeros((1, 8, 8, 3)))
    """
    shape = getattr(images, "shape", None)
    if shape is None or len(shape) != 4:
        raise ValueError(
            "`images` must have shape (batch, height, width, channels). "
            f"Received: {_describe(images)}"
        )
    if "float" in keras.backend.standardize_dtype(images.dtype):
        if not np.isfinite(np.asarray(images, "float32")).all():
            raise ValueError(
                "`images` must be finite. Received: NaN or infinity"
            )


def check_pixels(model, images):
    """Refuses pixels of 0-1 where the network subtracts a mean of 0-255.

    It would see them all as black.

    Args:
        model: A `keras.Model`.
        images: Array or tensor.

    Raises:
        ValueError: If they are floats of 1 at most, and not all 0.

    Example:

    >>> check_pixels(keras.Sequential(), np.full((1, 8, 8, 3), 0.5))
    """
    if "float" not in keras.backend.standardize_dtype(images.dtype):
        return
    high = float(np.max(np.asarray(images, "float32"), initial=0.0))
    if not 0 < high <= 1:
        return
    for layer in all_layers(model):
        if not isinstance(layer, MeanSubtraction):
            continue
        if float(keras.ops.max(keras.ops.abs(layer.offset))) > 1:
            raise ValueError(
                "`images` must be in 0-255, as the network subtracts the mean "
                f"of such pixels. Received: floats of at most {high:.3g}; "
                "multiply them by 255"
            )


def check_weights(model):
    """Refuses a model whose weights are not finite.

    Args:
        model: A `keras.Model`.

    Raises:
        ValueError: If a weight is NaN or infinite; the message names it.

    Example:

    >>> check_weights(keras.Sequential([keras.Input((2,))]))
    """
    for weight in model.weights:
        if "float" not in keras.backend.standardize_dtype(weight.dtype):
            continue
        tensor = keras.ops.convert_to_tensor(weight)
        values = np.asarray(keras.ops.convert_to_numpy(tensor), "float32")
        if not np.isfinite(values).all():
            raise ValueError(
                "The model's weights must be finite; it comes from training "
                "that diverged, or from a damaged file. Received: NaN or "
                f"infinity in {weight.path}"
            )


def as_integers(labels, count, classes):
    """Labels as integers, whatever form training takes them in.

    Args:
        labels: Array of shape `(count,)` or `(count, 1)`, or one-hot rows.
        count: Integer, number of images.
        classes: Integer.

    Returns:
        int64 array of shape `(count,)`.

    Raises:
        ValueError: If they are of another shape, or no integers.

    Example:

    >>> as_integers([[0, 1], [1, 0]], count=2, classes=2).tolist()
    [1, 0]
    """
    labels = np.asarray(labels)
    if labels.shape == (count, 1):
        labels = labels[:, 0]
    elif labels.shape == (count, classes):
        labels = labels.argmax(axis=1)
    if labels.shape != (count,) or not np.array_equal(labels, labels // 1):
        raise ValueError(
            "Labels must be integers, one per image, or one-hot rows. "
            f"Received: shape={labels.shape}, dtype={labels.dtype} for "
            f"{count} images"
        )
    return labels.astype("int64")


def check_labels(labels, classes, first):
    """Refuses labels of classes that the model does not have.

    Args:
        labels: Integer array.
        classes: Integer.
        first: Integer, the number of the first of these examples.

    Raises:
        ValueError: If a label is out of range; the message names the example.

    Example:

    >>> check_labels(np.array([0, 9]), classes=10, first=0)
    """
    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        where = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"Labels must be in 0 to {classes - 1}, the model's classes. If "
            "the data have more, evaluate a model that was built with as many "
            f"`classes`. Received: label {labels[where]} of example "
            f"{first + where}"
        )


def names_of_classes(class_names, classes):
    """One name for each class of the model.

    Args:
        class_names: Sequence of strings, or `None` for the numbers.
        classes: Integer, how many the model has.

    Returns:
        Tuple of strings.

    Raises:
        ValueError: If there are more names than classes, or fewer.

    Example:

    >>> names_of_classes(None, 3)
    ('0', '1', '2')
    """
    if class_names is None:
        return tuple(str(index) for index in range(classes))
    if len(class_names) != classes:
        raise ValueError(
            f"The data have {len(class_names)} classes, the model "
            f"{classes}: a label does not mean the same to both. Evaluate a "
            f"model that was built with `classes={len(class_names)}`. "
            f"Received: class_names={list(class_names)[:5]}..."
        )
    return tuple(class_names)


def check_probabilities(outputs):
    """Refuses outputs of a model that are no probabilities.

    Args:
        outputs: Array; the last axis is that of the classes.

    Raises:
        ValueError: If it is not finite, negative, or its sums are not 1.

    Example:

    >>> check_probabilities(np.array([[0.25, 0.75]]))
    """
    if not np.isfinite(outputs).all():
        raise ValueError(
            "The model's outputs must be finite. Received: NaN or infinity"
        )
    sums = outputs.sum(axis=-1)
    if outputs.min() < 0 or np.abs(sums - 1).max() > 1e-2:
        raise ValueError(
            "The model's outputs must be probabilities: 0 or more, with sum "
            "1. Pass `from_logits=True` if it ends before the softmax. "
            f"Received: minimum {outputs.min():.3g}, sums from "
            f"{sums.min():.3g} to {sums.max():.3g}"
        )


def _refuse(data, what=""):
    raise ValueError(f"{WANTED}. Received: {what}{_describe(data)}")


def _describe(data):
    kind = type(data).__name__
    if isinstance(data, Source):
        return f"the source {data.name!r}"
    if hasattr(data, "shape"):
        return f"{kind} of shape {tuple(data.shape)}"
    return f"{kind} of {len(data)}" if isinstance(data, tuple | list) else kind
