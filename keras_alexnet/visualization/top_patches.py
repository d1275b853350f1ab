"""The patches that excite feature maps most, and what is seen in them."""

import math

import numpy as np

from keras_alexnet.visualization.attributions import in_color
from keras_alexnet.visualization.figure import new_figure
from keras_alexnet.visualization.figure import save_figure
from keras_alexnet.visualization.mosaics import mosaic
from keras_alexnet.visualization.mosaics import show


def plot_top_patches(found, path, offset=0.0, bgr=False, columns=4):
    """Draws the strongest patches of feature maps beside their projections.

    For each feature map: on the left what the deconvnet projects each unit
    to, each in color around grey; on the right the patches that it was in, as
    in Zeiler and Fergus's Figure 2. The number above is that of the map, with
    its largest activations.

    Args:
        found: A `TopPatches`, what `top_patches` returned.
        path: Path of the picture; its ending chooses the format.
        offset: Number or color of three that is added to the patches to get
            RGB in 0-255: the mean, of centered images. Defaults to `0.0`.
        bgr: Boolean. Whether the images are BGR. Defaults to `False`.
        columns: Integer, feature maps side by side. Defaults to `4`.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: If the patches have not three channels.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import pathlib, tempfile
    >>> from keras_alexnet.inspection import top_patches
    >>> from keras_alexnet.models import CIFARNet
    >>> model = CIFARNet(architecture="cifar_26")
    >>> images = np.random.default_rng(0).uniform(0, 255, (9, 32, 32, 3))
    >>> found = top_patches(model, images, "conv1", range(2))
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> plot_top_patches(found, folder / "patches.png").name
    'patches.png'

    Reference: [Zeiler and Fergus, 2014](https://arxiv.org/abs/1311.2901),
    figure 2.
    """
    if found.patches.shape[-1] != 3:
        raise ValueError(
            "`found` must be of patches of three channels. "
            f"Received: shape={found.patches.shape}"
        )
    maps = len(found.channels)
    columns = min(columns, maps)
    rows = math.ceil(maps / columns)
    kinds = 1 if found.projections is None else 2
    side = 1.75
    figure = new_figure(
        max(3.2, kinds * side * columns), (side + 0.3) * rows + 0.35
    )
    panels = figure.subplots(rows, columns * kinds, squeeze=False)
    for axes in panels.flatten():
        axes.set_axis_off()
    order = slice(None, None, -1) if bgr else slice(None)
    for index, channel in enumerate(found.channels):
        row, column = divmod(index, columns)
        own = panels[row, kinds * column : kinds * (column + 1)]
        patches = (found.patches[index] + offset)[..., order] / 255
        _show(own[-1], np.clip(patches, 0, 1))
        if kinds == 2:
            projections = found.projections[index][..., order]
            _show(own[0], np.stack([in_color(p) for p in projections]))
        high, low = found.values[index, 0], found.values[index, -1]
        own[0].set_title(
            f"map {channel}: {high:.3g} to {low:.3g}", fontsize=7, loc="left"
        )
    count = found.values.shape[1]
    kind = "projections and patches" if kinds == 2 else "patches"
    figure.suptitle(
        f"{found.layer}: {kind} of the {count} largest activations",
        fontsize=9,
    )
    return save_figure(figure, path)


def _show(axes, tiles):
    show(axes, mosaic(tiles, gap=max(1, tiles.shape[1] // 30)))
