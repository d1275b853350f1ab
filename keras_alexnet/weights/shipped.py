"""Weights that are part of the package, and need no download."""

import dataclasses
import pathlib

FOLDER = pathlib.Path(__file__).parent / "files"


@dataclasses.dataclass(frozen=True)
class ShippedWeights:
    """Weights that this package has trained on a data set, and its classes.

    Beside each file lies a card of the same name, in Markdown: how it was
    trained, its errors, its license.

    Args:
        name: String, by which `weights` asks for them.
        paths: Dict from the preset's name of an architecture to the path of
            its file. The first is meant where no architecture is named.
        class_names: Tuple of strings.
    """

    name: str
    paths: dict
    class_names: tuple


CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)

SHIPPED = {
    "cifar10": ShippedWeights(
        name="cifar10",
        paths={
            preset: FOLDER / f"{preset}.safetensors"
            for preset in ("cifar_13", "cifar_11")
        },
        class_names=CIFAR10_CLASSES,
    )
}
