"""Whether a signal gets from the image to the output, neither weak nor wild."""

import math

import keras
import numpy as np

from keras_alexnet.preflight.findings import Finding
from keras_alexnet.preflight.inputs import CERTAIN
from keras_alexnet.preflight.inputs import paired_t

# Standard deviation, over images, of the logits of a new network. Measured
# with pixels of 0-255: 2e-4 (CIFAR nets of 2012) and more; with pixels of
# 0-1 and the published initializations: 7e-5 and less.
FADED = 1e-4

# A new network that answers all classes alike has a loss of ln(classes).
# Measured above that: 0.7 with the initialization of the 2012 code, 25 with
# He initialization on pixels of 0-255.
MUCH_MORE = 3.0

# Share of the units of a layer of which none answers to any image.
DEAD = 0.9

# alpha * sum(x**2) / k below which a response normalization is a constant
# factor, for kernels of norm 1. Pixels of 0-255 give 1 and more, of 0-1 a
# 65025th of that.
IDLE = 0.02


def signal_findings(found, labels, reversed_logits=None, architecture=None):
    """Findings about the answers of a network to a batch.

    Args:
        found: A `Responses`.
        labels: Integer array, or `None` where they are not in their range.
        reversed_logits: Function without arguments that returns the logits of
            the same images with their channels reversed. Defaults to `None`.
        architecture: An `Architecture`. Defaults to `None`.

    Returns:
        List of `Finding`.
    """
    wild = [n for n, x in found.kernels.items() if not np.isfinite(x).all()]
    if wild:
        return [
            Finding(
                "layers_not_finite",
                f"The outputs of {wild[0]} hold NaN or infinity before the "
                "first step.",
                "Compute in 32 bits to see whether they are only too large "
                "for float16; else look at the weights that were loaded.",
                fatal=True,
            )
        ]
    results = list(_dead(found))
    if found.logits is not None:
        results += _faded(found)
        if labels is not None:
            results += _loss(found, labels, reversed_logits, architecture)
    return results


def _dead(found):
    for name, output in found.rectifiers.items():
        axes = _all_but_channels(output)
        share = float((output.max(axis=axes) <= 0).mean())
        if share >= DEAD:
            yield Finding(
                "units_dead",
                f"{share:.0%} of the units of {name} answer to none of "
                f"{len(output)} images: nothing gets through, and they get "
                "no gradient.",
                "Look at the scale of the images and at the initial biases of "
                f"{name} and the layers before it: the paper's are 0 or 1, "
                "never negative.",
            )
            # What follows has nothing to answer to.
            return


def _all_but_channels(output):
    """Axes of the images and of the pixels."""

    if output.ndim == 4 and keras.config.image_data_format() != "channels_last":
        return (0, 2, 3)
    return tuple(range(output.ndim - 1))


def _faded(found):
    # Differences of logarithms of probabilities are those of logits.
    centered = found.logits - found.logits.mean(axis=1, keepdims=True)
    spread = float(centered.std(axis=0).mean())
    last = list(found.kernels.values())[-1:]
    if len(centered) < 2 or spread >= FADED or (last and not last[0].any()):
        return
    trace = ", ".join(
        f"{name} {output.std(axis=0).mean():.1g}"
        for name, output in found.kernels.items()
    )
    yield Finding(
        "signal_faded",
        f"The logits differ from image to image by {spread:.1g} only, so the "
        "loss would stand at ln(classes) for long. Standard deviations over "
        f"images: {trace}.",
        "Give centered pixels of 0-255, or use the recipe `small_data`, whose "
        "initial weights keep the signal as it is from layer to layer.",
    )


def _loss(found, labels, reversed_logits, architecture):
    labels = labels[: len(found.logits)]
    loss, chance = found.loss(labels), math.log(found.logits.shape[1])
    # Only a network that was trained can tell.
    if abs(loss - chance) > 0.1 * chance and reversed_logits is not None:
        rows = np.arange(len(labels))
        after = reversed_logits()[rows, labels]
        gain = after - found.logits[rows, labels]
        if paired_t(gain) > CERTAIN and -after.mean() < 0.9 * chance:
            yield Finding(
                "colors_reversed",
                f"With red and blue exchanged the loss is {-after.mean():.2g} "
                f"instead of {loss:.2g}: the network was trained on the other "
                "order of colors.",
                "Reverse the last axis of the images: `images[..., ::-1]`.",
            )
            return
    if loss > chance + MUCH_MORE:
        yield Finding(
            "loss_too_large",
            f"The loss is {loss:.3g} before the first step; a network that "
            f"has learned nothing has about ln(classes) = {chance:.3g}.",
            "The weights are too large for the pixels: divide these by their "
            "standard deviation, as `SMALL_DATA_RECIPE.prepare(architecture)` "
            "does."
            if _has_he(architecture)
            else "Give smaller pixels or smaller initial weights. If the "
            "network is trained already, the order of the classes is probably "
            "another one.",
        )


def _has_he(architecture):
    # A GoogLeNet's has one word for all layers.
    stds = getattr(architecture, "initial_stds", ())
    return "he" in (*stds, getattr(architecture, "initialization", None))


def norm_findings(found, model):
    """Findings about what a response normalization does to these images.

    Only the first one is judged, by what it would do behind kernels of norm
    1, as trained networks have: the initial kernels of the CIFAR nets of 2012
    have a norm of 0.001.

    Args:
        found: A `Responses`.
        model: The `keras.Model`.

    Returns:
        List of `Finding`.
    """
    if found.norm is None or not found.kernels:
        return []
    layer, x = found.norm
    window = layer.n if layer.region == "across_channels" else layer.n**2
    divisor = window if layer.convention == "mean" else 1
    first = model.get_layer(next(iter(found.kernels)))
    kernel = np.asarray(first.get_weights()[0], "float64")
    norm = math.sqrt((kernel**2).sum() / kernel.shape[-1])
    scale = 1 / min(max(norm, 1e-12), 1.0)
    square = float((x.astype("float64") ** 2).mean()) * scale**2
    share = layer.alpha / divisor * window * square / layer.k
    if share >= IDLE or layer.alpha == 0:
        return []
    return [
        Finding(
            "norm_idle",
            f"{layer.name} does nothing but multiply by k ** -beta = "
            f"{layer.k**-layer.beta:.3g}: alpha * sum(x ** 2) is {share:.1g} "
            f"of k = {layer.k:g} for these images and kernels of norm 1.",
            "Its alpha is for pixels of 0-255. Give such, or multiply alpha "
            "by the square of what you divide pixels by, as "
            "`Recipe.prepare` does.",
        )
    ]
