"""Predictions averaged over views of each image, as the paper tests."""

import keras
import numpy as np

from keras_alexnet.data import crops
from keras_alexnet.evaluation.errors import Errors
from keras_alexnet.evaluation.errors import top_k_wrong

VIEWS = ("center", "ten", "nine")


def predict_views(
    model,
    images,
    views="ten",
    size=None,
    order="cuda-convnet",
    from_logits=False,
):
    """Class probabilities of a batch, averaged over views of each image.

    ```
    p = mean(softmax(f(view)) for view in views)
    ```

    Args:
        model: A `keras.Model` from images to class probabilities. It gets the
            pixels of `images`, cropped and as float32: preprocessing is the
            model's (`AlexNet(include_preprocessing=True)`).
        images: Array or tensor of shape `(batch, height, width, 3)`.
        views: `"center"`, `"ten"` (section 4.1: four corners and the center,
            and their mirror images) or `"nine"` (the CIFAR nets' 3 x 3 grid).
            Defaults to `"ten"`.
        size: Integer, side of a view. Defaults to the model's input size.
        order: Order of the ten views, `"cuda-convnet"` or `"caffe"`. It does
            not change the mean.
        from_logits: Boolean. Whether the model ends before the softmax.
            Defaults to `False`.

    Returns:
        Array of shape `(batch, classes)`, float32.

    Raises:
        ValueError: If `views` is none of the above, the size is unknown or
            larger than the images, the model takes no square images, or its
            outputs are no probabilities.

    Example:

    >>> import numpy as np
    >>> from keras_alexnet import AlexNet
    >>> model = AlexNet(classes=3, input_shape=(64, 64, 3))
    >>> predict_views(model, np.zeros((2, 73, 73, 3))).shape
    (2, 3)

    Reference: [Krizhevsky et al., 2012](
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks),
    section 4.1; `convdata.py:239` and `src/worker.cu:150` of the 2012 code.
    """
    size = _input_size(model) if size is None else size
    cut = _cut(images, views, size, order)
    batch, count = cut.shape[:2]
    flat = keras.ops.cast(
        keras.ops.reshape(cut, (batch * count, size, size, -1)), "float32"
    )
    if _takes_channels_first(model):
        flat = keras.ops.transpose(flat, (0, 3, 1, 2))
    outputs = _one_output(model, flat).reshape(batch, count, -1)
    if from_logits:
        outputs = np.array(keras.ops.softmax(outputs, axis=-1))
    _check_probabilities(outputs)
    return outputs.mean(axis=1)


def evaluate(
    model,
    data,
    views="ten",
    size=None,
    order="cuda-convnet",
    from_logits=False,
    class_names=None,
):
    """Top-1 and top-5 error of a model on images and labels.

    Args:
        model: A `keras.Model`, see `predict_views`.
        data: Iterable of `(images, labels)` batches, images larger than the
            model's input (`keras_alexnet.data.evaluation_data`), and labels
            of shape `(batch,)` or `(batch, 1)`, or one-hot rows. What follows
            in a batch, such as weights, is not looked at.
        views: `"center"`, `"ten"` or `"nine"`. Defaults to `"ten"`.
        size: Integer, side of a view. Defaults to the model's input size.
        order: As in `predict_views`.
        from_logits: As in `predict_views`.
        class_names: Optional names. Defaults to the indices.

    Returns:
        An `Errors`: `top1_error`, `top5_error`, their intervals, `per_class()`
        and `table()`; print it.

    Raises:
        ValueError: If there is no data, or labels are of another shape, no
            integers or out of range.

    Example:

    >>> import numpy as np
    >>> from keras_alexnet import AlexNet
    >>> model = AlexNet(classes=3, input_shape=(64, 64, 3))
    >>> data = [(np.zeros((2, 64, 64, 3)), np.array([0, 2]))]
    >>> evaluate(model, data, views="center").n
    2
    """
    labels, top1, top5 = [], [], []
    classes = None
    for images, batch_labels, *_ in data:
        probabilities = predict_views(
            model, images, views, size, order, from_logits
        )
        classes = probabilities.shape[1]
        batch_labels = _as_integers(batch_labels, *probabilities.shape)
        _check_labels(batch_labels, classes, first=sum(map(len, labels)))
        labels.append(batch_labels)
        top1.append(top_k_wrong(probabilities, batch_labels, 1))
        top5.append(top_k_wrong(probabilities, batch_labels, 5))
    if classes is None:
        raise ValueError("`data` must have at least one batch. Received: none")
    if class_names is None:
        class_names = tuple(str(index) for index in range(classes))
    return Errors(
        np.concatenate(labels),
        np.concatenate(top1),
        np.concatenate(top5),
        views,
        tuple(class_names),
    )


def _cut(images, views, size, order):
    if views == "center":
        return crops.center_view(images, size)[:, None]
    if views == "ten":
        return crops.ten_views(images, size, order)
    if views == "nine":
        return crops.nine_views(images, size)
    raise ValueError(
        f"`views` must be one of {VIEWS}. Received: views={views!r}"
    )


def _input_size(model):
    shape = getattr(model, "input_shape", None)
    # Of several inputs, or of a model that was not built.
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[2] is None:
        raise ValueError(
            "`size` must be given for a model of any input size. "
            f"Received: size=None, model.input_shape={shape}"
        )
    if shape[2] != shape[3 if _takes_channels_first(model) else 1]:
        raise ValueError(
            "The model must take square images. "
            f"Received: model.input_shape={shape}"
        )
    return shape[2]


def _takes_channels_first(model):
    """From its input's shape where that tells, else Keras's setting."""
    shape = getattr(model, "input_shape", None)
    if isinstance(shape, tuple) and 3 in (first_last := shape[1::2]):
        if first_last[0] != first_last[1]:
            return first_last[0] == 3
    return keras.config.image_data_format() == "channels_first"


def _one_output(model, images):
    outputs = model.predict_on_batch(images)
    if isinstance(outputs, (dict, list, tuple)) or outputs.ndim != 2:
        shapes = keras.tree.map_structure(np.shape, outputs)
        raise ValueError(
            "The model must have one output of shape (batch, classes). "
            f"Received: shapes={shapes}"
        )
    return np.asarray(outputs, "float32")


def _as_integers(labels, count, classes):
    """Labels of shape `(count,)` from those, a column, or one-hot rows."""
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


def _check_probabilities(outputs):
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


def _check_labels(labels, classes, first):
    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        where = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"Labels must be in 0 to {classes - 1}, the model's classes. "
            f"Received: label {labels[where]} of example {first + where}"
        )
