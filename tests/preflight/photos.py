"""Batches that look like photos to a preflight."""

import numpy as np


def photos(count=32, size=99, seed=0):
    """Float32 images in 0-255, redder than blue, each of its own shades."""
    rng = np.random.default_rng(seed)
    shades = rng.normal((130, 120, 105), 50, (count, 1, 1, 3))
    images = shades + rng.normal(0, 40, (count, size, size, 3))
    return images.clip(0, 255).astype("float32")
