"""Predictions averaged over views of each image, as the paper tests."""

import warnings

import keras
import numpy as np

from keras_alexnet.data import crops
from keras_alexnet.data.crops import resized
from keras_alexnet.evaluation.checks import as_integers
from keras_alexnet.evaluation.checks import batches
from keras_alexnet.evaluation.checks import check_images
from keras_alexnet.evaluation.checks import check_labels
from keras_alexnet.evaluation.checks import check_one_replica
from keras_alexnet.evaluation.checks import check_pixels
from keras_alexnet.evaluation.checks import check_probabilities
from keras_alexnet.evaluation.checks import check_weights
from keras_alexnet.evaluation.checks import names_of_classes
from keras_alexnet.evaluation.ensemble import Ensemble
from keras_alexnet.evaluation.errors import Errors
from keras_alexnet.evaluation.errors import top_k_wrong
from keras_alexnet.evaluation.model_input import input_size
from keras_alexnet.evaluation.model_input import main_output
from keras_alexnet.evaluation.model_input import takes_channels_first

# How many views each kind has.
VIEWS = {
    "center": 1,
    "ten": 10,
    "nine": 9,
    "fifty": 50,
    "googlenet": 144,
    "dense": 2,
}

# Views that the model gets in one call, as long as one image has no more:
# what a GPU of 2012 had memory for, and no slower than more at once.
AT_ONCE = 128


def predict_views(
    model,
    images,
    views="ten",
    size=None,
    order="cuda-convnet",
    from_logits=False,
    scales=None,
):
    """Class probabilities of a batch, averaged over views of each image.

    ```
    p = mean(softmax(f(view)) for view in views)
    ```

    The model gets at most 128 views in one call, so that ten views of a batch
    need no more memory than one.

    Args:
        model: A `keras.Model` from images to class probabilities. It gets the
            pixels of `images`, cropped and as float32: preprocessing is the
            model's (`AlexNet(include_preprocessing=True)`). Of an `Ensemble`
            each member gets the images scaled to its own size, and the mean
            is over members and views.
        images: Array or tensor of shape `(batch, height, width, 3)`.
        views: One of these; defaults to `"ten"`:

            * `"center"`;
            * `"ten"` (section 4.1: four corners and the center, and their
              mirror images);
            * `"nine"` (the CIFAR nets' 3 x 3 grid);
            * `"fifty"` (VGG's 5 x 5 grid, and the mirror images);
            * `"googlenet"` (its 144, see `keras_alexnet.data.googlenet_views`;
              it scales images by itself);
            * `"dense"` (VGG's whole image and its mirror image, for a network
              that `dense_network` has made).
        size: Integer, side of a view. Defaults to the model's input size.
        order: Order of the ten views, `"cuda-convnet"` or `"caffe"`. It does
            not change the mean.
        from_logits: Boolean. Whether the model ends before the softmax.
            Defaults to `False`.
        scales: Sequence of integers. The views are cut from the images scaled
            to each of these shorter sides, and all are averaged, as VGG tests
            at 256, 384 and 512. Defaults to `None`, the images as they are.

    Returns:
        Array of shape `(batch, classes)`, float32.

    Raises:
        ValueError: If `views` is none of the above, the size is unknown or
            larger than the images, the model takes no square images, has
            several replicas, or its outputs are no probabilities; if pixels
            are in 0-1 and the model subtracts a mean of 0-255.

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
    _check_views(model, views, scales)
    check_images(images)
    if isinstance(model, Ensemble):
        _check_ensemble_arguments(size, from_logits, scales)
        # Before they are scaled for each member, which rounds pixels.
        for member in model.members:
            check_pixels(member, images)
        return model.average_views(
            lambda member, scaled: predict_views(
                member, scaled, views, order=order
            ),
            images,
        )
    check_one_replica(model)
    check_pixels(model, images)
    if scales is not None:
        found = [
            predict_views(
                model, resized(images, side), views, size, order, from_logits
            )
            for side in scales
        ]
        return np.mean(found, axis=0)
    if size is None and views != "dense":
        size = input_size(model)
    at_once = max(1, AT_ONCE // VIEWS[views])
    probabilities = [
        _predict(
            model,
            _cut(images[start : start + at_once], views, size, order),
            from_logits,
        )
        for start in range(0, len(images), at_once)
    ]
    return np.concatenate(probabilities)


def evaluate(
    model,
    data,
    views="ten",
    size=None,
    order="cuda-convnet",
    from_logits=False,
    class_names=None,
    scales=None,
):
    """Top-1 and top-5 error of a model on images and labels.

    Args:
        model: A `keras.Model`, see `predict_views`.
        data: Iterable of `(images, labels)` batches, images larger than the
            model's input (`keras_alexnet.data.evaluation_data`), and labels
            of shape `(batch,)` or `(batch, 1)`, or one-hot rows. What follows
            in a batch, such as weights, is not looked at.
        views: As in `predict_views`. Defaults to `"ten"`.
        size: Integer, side of a view. Defaults to the model's input size.
        order: As in `predict_views`.
        from_logits: As in `predict_views`.
        class_names: Optional names. Defaults to the indices.
        scales: As in `predict_views`.

    Returns:
        An `Errors`: `top1_error`, `top5_error`, their intervals, `per_class()`
        and `table()`; print it.

    Raises:
        ValueError: If `data` is not batches, or there are none; if labels are
            of another shape, no integers or out of range; if images, weights
            or outputs are not finite; if the names are not as many as the
            model's classes.

    Example:

    >>> import numpy as np
    >>> from keras_alexnet import AlexNet
    >>> model = AlexNet(classes=3, input_shape=(64, 64, 3))
    >>> data = [(np.zeros((2, 64, 64, 3)), np.array([0, 2]))]
    >>> evaluate(model, data, views="center").n
    2
    """
    check_weights(model)
    labels, top1, top5 = [], [], []
    classes = None
    for images, batch_labels in batches(data):
        probabilities = predict_views(
            model, images, views, size, order, from_logits, scales
        )
        if classes is None:
            classes = probabilities.shape[1]
            class_names = names_of_classes(class_names, classes)
        batch_labels = as_integers(batch_labels, *probabilities.shape)
        check_labels(batch_labels, classes, first=sum(map(len, labels)))
        labels.append(batch_labels)
        top1.append(top_k_wrong(probabilities, batch_labels, 1))
        top5.append(top_k_wrong(probabilities, batch_labels, 5))
    if classes is None:
        raise ValueError("`data` must have at least one batch. Received: none")
    return Errors(
        np.concatenate(labels),
        np.concatenate(top1),
        np.concatenate(top5),
        views,
        class_names,
    )


def _check_ensemble_arguments(size, from_logits, scales):
    if size is not None or from_logits or scales is not None:
        raise ValueError(
            "The members of an `Ensemble` have sizes of their own and return "
            "probabilities, so `size`, `from_logits` and `scales` must be "
            f"left out. Received: size={size}, from_logits={from_logits}, "
            f"scales={scales}"
        )


def _cut(images, views, size, order):
    sides = tuple(images.shape[1:3])
    if views in ("ten", "nine", "fifty") and sides == (size, size):
        warnings.warn(
            f"The {views} views are all the same, but for mirror images: the "
            f"images have the views' size, {size} pixels. Give larger ones, "
            'such as `evaluation_data` without `view`, or `views="center"`.',
            stacklevel=3,
        )
    if views == "center":
        return crops.center_view(images, size)[:, None]
    if views == "ten":
        return crops.ten_views(images, size, order)
    if views == "dense":
        images = keras.ops.cast(images, "float32")
        return keras.ops.stack([images, keras.ops.flip(images, 2)], axis=1)
    cut = {
        "nine": crops.nine_views,
        "fifty": crops.fifty_views,
        "googlenet": crops.googlenet_views,
    }[views]
    return cut(images, size)


def _check_views(model, views, scales):
    if views not in VIEWS:
        raise ValueError(
            f"`views` must be one of {tuple(VIEWS)}. Received: views={views!r}"
        )
    shape = getattr(model, "input_shape", None)
    if views == "dense" and not (
        isinstance(shape, tuple) and shape[1:].count(None) == 2
    ):
        raise ValueError(
            '`views="dense"` needs a model that takes images of any size: '
            "`keras_alexnet.models.dense_network(model)`. "
            f"Received: model.input_shape={shape}"
        )
    if scales is None:
        return
    if views == "googlenet":
        raise ValueError(
            '`scales` must be `None` with `views="googlenet"`, which has four '
            f"of its own. Received: scales={scales}"
        )
    if not len(scales) or not all(
        isinstance(side, int) and side > 0 for side in scales
    ):
        raise ValueError(
            "`scales` must be positive integers, at least one. "
            f"Received: scales={scales}"
        )


def _predict(model, cut, from_logits):
    batch, count, *shape = cut.shape
    flat = keras.ops.cast(
        keras.ops.reshape(cut, (batch * count, *shape)), "float32"
    )
    if takes_channels_first(model):
        flat = keras.ops.transpose(flat, (0, 3, 1, 2))
    outputs = _one_output(model, flat).reshape(batch, count, -1)
    if from_logits:
        outputs = np.array(keras.ops.softmax(outputs, axis=-1))
    check_probabilities(outputs)
    return outputs.mean(axis=1)


def _one_output(model, images):
    outputs = main_output(model, model.predict_on_batch(images))
    if isinstance(outputs, (dict, list, tuple)) or outputs.ndim != 2:
        shapes = keras.tree.map_structure(np.shape, outputs)
        raise ValueError(
            "The model must have one output of shape (batch, classes). "
            f"Received: shapes={shapes}"
        )
    return np.asarray(outputs, "float32")
