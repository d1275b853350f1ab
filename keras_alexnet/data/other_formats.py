"""Image files that TensorFlow does not decode, or not correctly."""

import io

import numpy as np

from keras_alexnet.data.orientation import TAG

# The codes that tell AVIF and HEIC apart, in the file's first box.
AVIF_BRANDS = (b"avif", b"avis")
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")

# The numbers of Pillow's `Image.Transpose` that undo what orientations ask.
TURNED_BACK = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}


class MissingLibrary(ImportError):
    """The library that would decode an image is not installed."""


def is_other_format(encoded):
    """Whether Pillow, and not TensorFlow, decodes a file.

    Args:
        encoded: Bytes of the file.

    Returns:
        Boolean. Of BMP and WebP, TensorFlow decodes some.

    Example:

    >>> is_other_format(b"BM..."), is_other_format(b"GIF89a")
    (True, False)
    """
    starts = (b"BM", b"RIFF", b"II*\0", b"MM\0*")
    return encoded.startswith(starts) or bool(_brands(encoded))


def decode_other_format(encoded, upright=True):
    """Decodes BMP, WebP, TIFF, AVIF and HEIC to uint8 RGB.

    The first image of several is taken; 16 bits become 8.

    Args:
        encoded: Bytes of the file.
        upright: As of `decode`. Defaults to `True`.

    Returns:
        uint8 array of shape `(height, width, 3)`.

    Raises:
        MissingLibrary: If what decodes the format is not installed.
        Exception: Whatever Pillow raises for a damaged file.

    Example:

    >>> from PIL import Image
    >>> file = io.BytesIO()
    >>> Image.new("RGB", (4, 3)).save(file, "TIFF")
    >>> decode_other_format(file.getvalue()).shape
    (3, 4, 3)
    """
    from PIL import Image
    from PIL import ImageOps

    with _open(encoded, Image) as image:
        image = ImageOps.exif_transpose(image) if upright else _stored(image)
        if image.mode.startswith("I;16"):
            grey = np.asarray(image)
            return np.repeat((grey >> 8).astype("uint8")[..., None], 3, -1)
        if image.mode in ("I", "F"):
            raise ValueError(
                f"it has 32 bits per pixel (mode {image.mode!r}), whose "
                "white nobody knows; save it with 8 or 16"
            )
        return np.asarray(image.convert("RGB"))


def _stored(image):
    """The image as it is in its file, which Pillow turns if it is TIFF."""
    asked = image.getexif().get(TAG)
    image.load()
    turned = image.getexif().get(TAG) != asked
    return image.transpose(TURNED_BACK[asked]) if turned else image


def _open(encoded, image):
    brands = _brands(encoded)
    formats = ["BMP", "WEBP", "TIFF"]
    if brands & set(AVIF_BRANDS):
        from PIL import features

        # Pillow knows the word from 11.3 on.
        if "avif" not in features.modules or not features.check("avif"):
            raise MissingLibrary(
                "it is AVIF, which Pillow decodes from version 11.3 on, where "
                "it was built with it: `pip install -U pillow`"
            )
        formats = ["AVIF"]
    elif brands & set(HEIC_BRANDS):
        return _heif().open_heif(io.BytesIO(encoded)).to_pillow()
    return image.open(io.BytesIO(encoded), formats=formats)


def _heif():
    try:
        import pillow_heif
    except ImportError as error:
        raise MissingLibrary(
            "it is HEIC, which a plugin of Pillow decodes: "
            "`pip install pillow-heif`"
        ) from error
    return pillow_heif


def _brands(encoded):
    """The brands in the first box of an ISO media file, or nothing."""
    if encoded[4:8] != b"ftyp":
        return set()
    size = min(int.from_bytes(encoded[:4], "big"), 256)
    brands = {encoded[i : i + 4] for i in (8, *range(16, size, 4))}
    return brands & {*AVIF_BRANDS, *HEIC_BRANDS}
