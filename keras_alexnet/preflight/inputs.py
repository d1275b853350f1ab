"""Whether images are what the network is made for."""

import numpy as np

from keras_alexnet.preflight.findings import Finding

# The standard deviation of the pixels of photos, in 0-255: 72 and 62 in the
# training images of Imagenette and CIFAR-10, 58 in ImageNet's.
USUAL_STD = 58.0

# Pixels of 0-1 are smaller by a factor of 255, and sets of images differ by a
# factor of 2 or 3: the limit is between the two on a logarithmic scale.
TOO_FAR = 20.0

# Paired t-values beyond which a difference is no chance.
CERTAIN = 3.0


def input_findings(images, seen, architecture, centers, rescales):
    """Findings about the pixels of a batch.

    Args:
        images: Array of shape `(batch, height, width, channels)`, as the
            model gets them.
        seen: Array, what the first layer with a kernel gets.
        architecture: An `Architecture`, or `None` if none is known.
        centers: Boolean, whether the model itself subtracts a mean.
        rescales: Boolean, whether it has a `keras.layers.Rescaling`.

    Returns:
        List of `Finding`.

    Example:

    >>> black = np.zeros((2, 8, 8, 3))
    >>> [f.name for f in input_findings(black, black, None, False, False)]
    ['images_constant']
    """
    if not np.isfinite(images).all():
        return [
            Finding(
                "images_not_finite",
                "Images hold NaN or infinity.",
                "Find the step of the preparation of images that makes them, "
                "such as a division by a standard deviation of 0.",
                fatal=True,
            )
        ]
    if images.std(axis=(1, 2, 3)).max() == 0:
        return [
            Finding(
                "images_constant",
                "Every image is of one value throughout, "
                f"{float(images.flat[0]):g} in the first.",
                "Look at the images: `next(iter(data))`. They may be masks, "
                "or were scaled and converted to integers.",
                fatal=True,
            )
        ]
    found = [
        *_scale(images, seen, architecture, rescales),
        *_center(seen, centers, architecture),
    ]
    return [*found, *_colors(images)]


def _scale(images, seen, architecture, rescales):
    low, high = float(images.min()), float(images.max())
    std = _spread(seen)
    measured = (
        f"Pixels are from {low:.3g} to {high:.3g}, and the first layer sees "
        f"differences between images of a standard deviation of {std:.2g}"
    )
    if architecture is None:
        # Pixels of 0-1 have 0.25; a second division by 255 leaves 0.001.
        if rescales and std < 0.01:
            yield Finding(
                "pixels_too_small",
                f"{measured}: they are divided by 255 twice.",
                "Give pixels of 0-255, or leave out the `Rescaling` layer.",
            )
        return
    wanted = USUAL_STD / float(np.mean(architecture.pixel_std))
    text = f"{measured}; the network is made for about {wanted:.2g}."
    if std * TOO_FAR < wanted:
        yield Finding(
            "pixels_too_small",
            text,
            "Give pixels of 0-255"
            + (
                ": multiply by 255, or leave out the division by 255."
                if high <= 1.5
                else ", which no other step has scaled."
            ),
        )
    elif std > wanted * TOO_FAR:
        yield Finding(
            "pixels_too_large",
            text,
            "Build the network with `include_preprocessing=True`, which "
            "centers and scales pixels of 0-255, or divide centered pixels by "
            f"{np.mean(architecture.pixel_std):.3g}.",
        )


def _spread(seen):
    """The standard deviation of a pixel, whatever is subtracted from it."""
    if len(seen) > 1:
        return float(seen.std(axis=0).mean())
    return float(seen.std(axis=(1, 2)).mean())


def _center(seen, centers, architecture):
    if centers or architecture is None:
        return
    mean, std = float(seen.mean()), _spread(seen)
    if abs(mean) > 0.5 * std:
        yield Finding(
            "pixels_not_centered",
            f"The first layer sees a mean of {mean:.3g} and a standard "
            f"deviation of {std:.3g}; the network is made for centered pixels.",
            "Build the network with `include_preprocessing=True`, or subtract "
            "the mean (`keras_alexnet.models.preprocess_input`).",
        )


def _colors(images):
    """Photos are redder than they are blue, on average."""
    if images.shape[-1] == 3:
        colors = images.mean(axis=(1, 2))
    elif images.shape[1] == 3:
        colors = images.mean(axis=(2, 3))
    else:
        return
    difference = colors[:, 2] - colors[:, 0]
    spread = max(float(images.std()), 1e-12)
    if paired_t(difference) > CERTAIN and difference.mean() > 0.05 * spread:
        share = float((difference > 0).mean())
        yield Finding(
            "colors_reversed",
            f"{share:.0%} of {len(images)} images have more in the last "
            "channel than in the first; photos in RGB order have less. They "
            "may be in BGR order, as OpenCV reads them.",
            "Reverse the last axis: `images[..., ::-1]`. Photos of the sky or "
            "of water look like that, too: nothing is wrong then.",
        )


def paired_t(differences):
    """Student's t of differences between pairs; 0 where there are few.

    Args:
        differences: Array of shape `(n,)`.

    Returns:
        Float.

    Example:

    >>> round(paired_t(np.array([1.0, 2, 3, 1, 2, 3, 2, 2])), 2)
    7.48
    """
    n = len(differences)
    if n < 8:
        return 0.0
    error = max(float(differences.std(ddof=1)) / np.sqrt(n), 1e-12)
    return float(differences.mean() / error)
