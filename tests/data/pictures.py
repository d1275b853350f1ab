"""Image files to test with: small, smooth, in every format."""

import io

import numpy as np


def picture(height=40, width=60, seed=0):
    """A smooth uint8 RGB image, which lossy formats hardly change."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = [np.sin(a * x + b * y + c) for a, b, c in rng.uniform(1, 5, (3, 3))]
    return np.rint(127.5 + 120 * np.stack(waves, axis=-1)).astype("uint8")


def encode(image, kind, mode="RGB", **options):
    """The bytes of an image file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).convert(mode).save(file, kind, **options)
    return file.getvalue()


def make_folder(folder, counts, kind="PNG"):
    """Writes `counts` images into each class folder."""
    for label, (name, count) in enumerate(sorted(counts.items())):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            image = picture(seed=100 * label + i)
            path = folder / name / f"{i}.{kind.lower()}"
            path.write_bytes(encode(image, kind))
    return folder
