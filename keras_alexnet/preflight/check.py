"""Looks at a network and its data before the first step."""

import contextlib
import math
import time

import keras
import numpy as np

from keras_alexnet.evaluation.checks import batches
from keras_alexnet.layers.mean_subtraction import MeanSubtraction
from keras_alexnet.models.network import class_count
from keras_alexnet.preflight.duplicates import duplicate_findings
from keras_alexnet.preflight.duplicates import find_duplicates
from keras_alexnet.preflight.findings import Finding
from keras_alexnet.preflight.findings import Preflight
from keras_alexnet.preflight.inputs import input_findings
from keras_alexnet.preflight.labels import integer_labels
from keras_alexnet.preflight.labels import label_findings
from keras_alexnet.preflight.responses import responses
from keras_alexnet.preflight.signals import norm_findings
from keras_alexnet.preflight.signals import signal_findings
from keras_alexnet.preflight.windows import window_findings
from keras_alexnet.undivided import undivided


def check(model, data, source=None, examples=1000):
    """Looks for what makes training fail, before the first step.

    One batch is drawn, 32 of its images at most go through the network, and
    nothing is changed. Looked for are

    - pixels of 0-1 where 0-255 are meant, and the reverse; pixels that are
      not centered; NaN; red and blue exchanged;
    - labels out of range, off by one, constant, sorted; other classes than the
      network's; classes without images, or more than ten times as frequent as
      others;
    - a signal that fades or explodes on its way, dead units, a loss far above
      `ln(classes)`;
    - a response normalization that does nothing at this scale, and windows
      that cannot be meant;
    - images of the training set in another split.

    `train` and `fit` do this by default.

    Args:
        model: A functional `keras.Model` of classes. Of several outputs the
            first is looked at, as with `GoogLeNet`. Under a strategy a copy on
            one device is looked at.
        data: A `TrainingData`, a dataset or another iterable of batches of
            images and labels, or one such batch. An iterator loses its first
            batch.
        source: A `Source`, for what a batch cannot tell: the frequencies of
            classes, and images in two splits. Defaults to that of a
            `TrainingData`, else to `None`.
        examples: Integer, images of each split that are compared with those
            of others. `0` for none. Defaults to `1000`.

    Returns:
        A `Preflight`; print it. Its `findings` are empty if all is well.

    Raises:
        ValueError: If `model` is not functional; if `data` is something else,
            has no batch, or images of another size than the model takes; or
            if `examples` is negative.

    Example:

    >>> from keras_alexnet import AlexNet
    >>> model = AlexNet(classes=10, input_shape=(64, 64, 3))
    >>> rng = np.random.default_rng(0)
    >>> images, labels = rng.random((32, 64, 64, 3)), np.arange(32) % 10
    >>> found = check(model, (images, labels))
    >>> [finding.name for finding in found.findings]
    ['pixels_too_small', 'pixels_not_centered', 'signal_faded', 'norm_idle']
    """
    start = time.monotonic()
    _check_arguments(model, examples)
    model = undivided(model)
    source = source or getattr(data, "source", None)
    images, labels = _first_batch(data)
    _check_size(model, images)
    architecture = getattr(model, "architecture", None)
    findings, facts = [], []
    labels, wrong = _labels(model, labels, len(images))
    findings += wrong
    if labels is not None:
        splits, names = _known_labels(source)
        classes = class_count(model)
        if names is not None and len(names) != classes:
            findings.append(_other_classes(classes, len(names)))
            splits = names = None
        findings += label_findings(labels, classes, splits, names)
    if np.isfinite(images).all():
        found = responses(model, images)
        signals = signal_findings(
            found, labels, lambda: _of_reversed(model, images), architecture
        )
        findings += _without_repetition(
            input_findings(
                images,
                found.seen,
                architecture,
                _centers(model),
                _rescales(model),
            ),
            signals,
        )
        findings += norm_findings(found, model)
        facts += _facts(found, labels)
    else:
        findings += input_findings(images, images, None, True, False)
    findings += window_findings(model)
    if source is not None and examples:
        findings += duplicate_findings(find_duplicates(source, examples))
        facts.append(_compared(source, examples))
    seconds = time.monotonic() - start
    return Preflight(tuple(findings), tuple(filter(None, facts)), seconds)


def _check_arguments(model, examples):
    if not getattr(model, "inputs", None) or not getattr(model, "outputs", 0):
        raise ValueError(
            "`model` must be a functional or sequential `keras.Model` whose "
            f"input shape is known. Received: {type(model).__name__}"
        )
    if not isinstance(examples, int) or examples < 0:
        raise ValueError(
            "`examples` must be an integer, 0 or more. "
            f"Received: examples={examples!r}"
        )


def _check_size(model, images):
    wanted = tuple(model.inputs[0].shape[1:])
    if len(wanted) != 3 or any(
        want not in (None, have)
        for want, have in zip(wanted, images.shape[1:], strict=True)
    ):
        raise ValueError(
            f"The model takes images of shape {wanted}. "
            '`evaluation_data(..., view="center")` gives such. Received: '
            f"images of shape {images.shape[1:]}"
        )


def _first_batch(data):
    is_pair = isinstance(data, tuple) and len(data) == 2
    if is_pair and hasattr(data[0], "shape") and np.ndim(data[1]) < 3:
        data = [data]
    if hasattr(data, "seek"):
        before = data.position
        with _without_noise(data):
            found = next(iter(batches(data.dataset)), None)
        data.seek(*before)
    else:
        found = next(iter(batches(data)), None)
    if found is None:
        raise ValueError("`data` must have at least one batch. Received: none")
    images, labels = (np.asarray(x) for x in found)
    if images.ndim != 4 or not len(images):
        raise ValueError(
            "`data` must be batches of images of shape (batch, height, width, "
            f"channels). Received: shape={images.shape}"
        )
    return images.astype("float32"), labels


@contextlib.contextmanager
def _without_noise(data):
    """Color noise would hide that images themselves are of another scale."""
    sigma = getattr(data, "color_sigma", None)
    if sigma is None:
        yield
        return
    before = float(sigma)
    sigma.assign(0.0)
    try:
        yield
    finally:
        sigma.assign(before)


def _other_classes(classes, known):
    return Finding(
        "classes_differ",
        f"The network has {classes} classes, the images are of {known}.",
        f"Build the network with `classes={known}`.",
    )


def _labels(model, labels, count):
    if len(model.outputs[0].shape) != 2:
        return None, []
    return integer_labels(labels, count, class_count(model))


def _known_labels(source):
    if source is None:
        return None, None
    splits = {
        name: split.labels
        for name, split in source.splits.items()
        if split.labels is not None
    }
    return splits, source.class_names


def _centers(model):
    kinds = MeanSubtraction | keras.layers.Normalization
    return any(isinstance(layer, kinds) for layer in model.layers)


def _rescales(model):
    return any(isinstance(x, keras.layers.Rescaling) for x in model.layers)


def _without_repetition(first, second):
    """What a network says about colors counts more than their means."""
    said = {finding.name for finding in second}
    return [*(f for f in first if f.name not in said), *second]


def _of_reversed(model, images):
    axis = -1 if images.shape[-1] == 3 else 1
    return responses(model, np.flip(images, axis)).logits


def _facts(found, labels):
    if found.logits is None:
        return
    chance = math.log(found.logits.shape[1])
    if labels is None:
        yield f"ln(classes) {chance:.2f}"
    else:
        loss = found.loss(labels[: len(found.logits)])
        yield f"loss {loss:.2f}, ln(classes) {chance:.2f}"


def _compared(source, examples):
    counts = [
        f"{min(examples, count):,} of {count:,} {name}"
        for name, count in source.counts.items()
    ]
    return f"compared {', '.join(counts)} images"
