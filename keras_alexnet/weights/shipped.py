"""Weights that are part of the package, and need no download."""

import dataclasses
import pathlib

FOLDER = pathlib.Path(__file__).parent / "files"


@dataclasses.dataclass(frozen=True)
class ShippedWeights:
    """A file of weights that this package has trained, and its classes.

    Beside the file lies a card of the same name, in Markdown: how it was
    trained, its errors, its license.

    Args:
        name: String, by which `weights` asks for it.
        architecture: String, the preset that it is for.
        path: Path of the file.
        class_names: Tuple of strings.
    """

    name: str
    architecture: str
    path: pathlib.Path
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
        architecture="cifar_13",
        path=FOLDER / "cifar_13.safetensors",
        class_names=CIFAR10_CLASSES,
    )
}
