"""A folder of pictures of three colors, and networks to look at them."""

import numpy as np
from small_networks import build
from small_networks import small

COLORS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}


def network(preset="paper", **options):
    return build(small(preset), include_preprocessing=True, **options)


def write_pictures(folder, count=4):
    """`count` pictures of each color, of several sizes and shapes."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for name, color in COLORS.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            shape = (50 + 7 * number, 80 - 5 * number, 3)
            pixels = rng.normal(color, 25, shape).clip(0, 255).astype("uint8")
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def read(path):
    from PIL import Image

    return np.asarray(Image.open(path).convert("RGB"))
