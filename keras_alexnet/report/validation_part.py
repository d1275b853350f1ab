"""The wrong answers among some validation images."""

import dataclasses

import numpy as np

from keras_alexnet.evaluation.checks import as_integers
from keras_alexnet.evaluation.checks import batches
from keras_alexnet.evaluation.model_input import main_output


@dataclasses.dataclass(frozen=True)
class ValidationPart:
    """What a network answers to some validation images.

    Attributes:
        n: Integer, images that were looked at.
        probe: Array of the first ones.
        images: List of uint8 RGB arrays, the most confident wrong answers,
            the worst first.
        labels: List of `(answer, confidence, correct class)` of these.
    """

    n: int
    probe: np.ndarray
    images: list
    labels: list


def validation_part(model, data, most, worst, probed):
    """Looks at validation images until there are enough.

    Args:
        model: A `keras.Model` from images to probabilities or logits.
        data: Iterable of batches of images and labels.
        most: Integer, images that are looked at.
        worst: Integer, wrong answers that are kept.
        probed: Integer, images that are kept whatever the answer.

    Returns:
        A `ValidationPart`.

    Raises:
        ValueError: If `data` is something else, or empty.
    """
    n, probe, kept = 0, [], []
    for images, labels in batches(data):
        images = np.asarray(images)[: most - n]
        outputs = main_output(model, model.predict_on_batch(images))
        outputs = np.asarray(outputs, "float64")
        labels = np.asarray(labels)[: len(images)]
        labels = as_integers(labels, *outputs.shape)
        scores = _probabilities(outputs)
        answers, sure = scores.argmax(axis=1), scores.max(axis=1)
        kept += [
            (float(sure[i]), n + i, images[i], int(answers[i]), int(labels[i]))
            for i in np.flatnonzero(answers != labels)
        ]
        # The second of equal confidences is never compared: numbers differ.
        kept = sorted(kept, key=lambda one: (-one[0], one[1]))[:worst]
        probe.append(images[: max(probed - n, 0)])
        n += len(images)
        if n >= most:
            break
    if not n:
        raise ValueError(
            "`validation_data` must have at least one batch. Received: none"
        )
    return ValidationPart(
        n,
        np.concatenate(probe).astype("float32"),
        [_shown(image) for _, _, image, _, _ in kept],
        [(answer, sure, label) for sure, _, _, answer, label in kept],
    )


def _probabilities(outputs):
    if outputs.min() >= 0 and np.abs(outputs.sum(axis=1) - 1).max() < 1e-2:
        return outputs
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _shown(image):
    """uint8 RGB, whatever the scale and the order of axes."""
    image = np.asarray(image, "float32")
    if image.shape[0] in (1, 3) and image.shape[-1] not in (1, 3):
        image = np.moveaxis(image, 0, -1)
    if image.min() < 0 or image.max() > 255 or image.max() <= 1:
        span = max(float(np.ptp(image)), 1e-12)
        image = 255 * (image - image.min()) / span
    image = np.uint8(image)
    return np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image
