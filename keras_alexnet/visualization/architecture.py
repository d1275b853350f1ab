"""Figure 2 of the paper, so that it can be read: columns and their layers."""

from keras_alexnet.inspection.layer_facts import layer_facts
from keras_alexnet.inspection.layer_facts import total
from keras_alexnet.visualization.figure import new_figure
from keras_alexnet.visualization.figure import save_figure

# Blue where columns talk, gray where they do not, orange for differences.
TALKS, OWN, DIFFERENT = "#1f77b4", "0.55", "#d95f02"
SAME, FILL = "black", "#f4f6fa"
# Inches: the columns together, the facts beside them, a row, its box, what is
# above the first row, and what separates columns from one another.
LANES, FACTS, ROW, BOX = 3.0, 1.5, 0.84, 0.54
HEAD, GAP = 0.75, 0.2
# Letters of the smaller size in a row of boxes.
LETTERS = 50


def plot_architecture(network, path, other=None):
    """Draws the columns of a network, layer by layer, as in Figure 2.

    A box per column and layer with weights: its kernels, what each sees, and
    what follows. Beside it: the shape of the output over all columns, the
    parameters and the multiply-adds of one image. Blue arrows are where a
    column sees the others; a blue double arrow is an LRN that reaches from
    column to column.

    Args:
        network: A `keras.Model` that is a chain of layers, of columns or not;
            an `Architecture`; or the name of a preset, such as `"paper"`.
        path: Path of the picture; its ending chooses the format.
        other: A second network to draw beside it. Rows have the same layers,
            and what differs is orange in both. Defaults to none.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: If a model is no chain of layers of a fixed input size, or
            there is no preset of that name.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> plot_architecture("cifar_26", folder / "net.png", "cifar_18").name
    'net.png'

    Reference: [Krizhevsky et al., 2012](
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks),
    section 3.5 and figure 2.
    """
    panels = [_Panel(network)]
    if other is not None:
        panels.append(_Panel(other))
    names = _rows(panels)
    width = LANES + FACTS
    figure = new_figure(
        0.2 + len(panels) * width, HEAD + ROW * (len(names) + 1)
    )
    figure.get_layout_engine().set(w_pad=0, h_pad=0)
    drawn = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, panel, compared in zip(
        drawn, panels, reversed(panels), strict=True
    ):
        axes.set_xlim(-0.05, width + 0.05)
        axes.set_ylim(ROW * len(names) + BOX + 0.1, -HEAD)
        axes.set_axis_off()
        panel.draw(axes, names, compared if other is not None else None)
    return save_figure(figure, path)


def _rows(panels):
    """The names of all layers; one that is missing in a network has a row."""
    names = [layer.name for layer in panels[0].layers]
    for panel in panels[1:]:
        own = [layer.name for layer in panel.layers]
        for index, name in enumerate(own):
            if name not in names:
                before = own[index - 1] if index else None
                place = names.index(before) + 1 if before in names else 0
                names.insert(place, name)
    return names


class _Panel:
    """One network, drawn from top to bottom."""

    def __init__(self, network):
        self.columns, self.image, self.layers = layer_facts(network)
        architecture = getattr(network, "architecture", network)
        self.title = getattr(
            architecture, "name", getattr(network, "name", network)
        )

    def draw(self, axes, names, other):
        by_name = {layer.name: layer for layer in self.layers}
        theirs = {layer.name: layer for layer in other.layers} if other else {}
        self._head(axes)
        color = DIFFERENT if other and other.image != self.image else SAME
        self._box(axes, 0, 1, 0, [f"image {_by(self.image)}"], color)
        row_before, is_last = 0, self.layers[-1].name
        for row, name in enumerate(names, start=1):
            layer = by_name.get(name)
            if layer is None:
                continue
            lanes = 1 if name == is_last else self.columns
            compared = theirs.get(name) if other else layer
            self._layer(axes, row, layer, lanes, compared)
            self._arrows(axes, row_before, row, layer, lanes)
            row_before = row

    def _head(self, axes):
        neurons = total(self.layers, "shape")
        axes.text(0, -0.68, self.title, fontsize=11, weight="bold", va="top")
        axes.text(
            0,
            -0.44,
            f"{total(self.layers, 'parameters'):,} parameters, "
            f"{_short(total(self.layers, 'multiply_adds'))} multiply-adds, "
            f"{neurons:,} neurons",
            fontsize=8,
            va="top",
        )

    def _layer(self, axes, row, layer, lanes, compared):
        lines = _lines(layer, lanes)
        color = SAME
        if compared is None or lines != _lines(compared, lanes):
            color = DIFFERENT
        for lane in range(lanes):
            self._box(axes, lane, lanes, row, lines, color)
        others = _facts(compared) if compared is not None else ()
        for line, fact in enumerate(_facts(layer)):
            axes.text(
                LANES + 0.1,
                ROW * row + 0.16 * line,
                fact,
                fontsize=8 if line < 3 else 7,
                va="top",
                color=SAME if fact in others else DIFFERENT,
            )
        if layer.norm_across:
            y = (ROW * row + BOX / 2,) * 2
            for lane in range(1, lanes):
                x = LANES * lane / lanes
                _arrow(axes, (x - GAP / 2, x + GAP / 2), y, "<->")

    def _box(self, axes, lane, lanes, row, lines, color):
        from matplotlib.patches import Rectangle

        width = (LANES - GAP * (lanes - 1)) / lanes
        left, top = lane * (width + GAP), ROW * row
        axes.add_patch(
            Rectangle((left, top), width, BOX, facecolor=FILL, edgecolor=color)
        )
        for line, text in enumerate(lines):
            # The box of a column has room for so many letters.
            small = min(7, 7 * LETTERS / lanes / len(text))
            axes.text(
                left + width / 2,
                top + BOX * (line + 0.7) / (len(lines) + 0.4),
                text,
                ha="center",
                va="center",
                fontsize=8 if line == 0 else small,
                weight="bold" if line == 0 else "normal",
                color=color,
            )

    def _arrows(self, axes, above, row, layer, lanes):
        """From every column that this layer's columns see to each of them."""
        sources = 1 if above == 0 else self.columns
        y = (ROW * above + BOX, ROW * row)
        for source in range(sources):
            for lane in range(lanes):
                own = sources == 1 or (source == lane and lanes > 1)
                if own or layer.sees_all:
                    x = [
                        LANES * (place + 0.5) / count
                        for place, count in ((source, sources), (lane, lanes))
                    ]
                    talks = layer.sees_all and sources > 1
                    color = TALKS if talks else OWN
                    _arrow(axes, x, y, "->", color)


def _arrow(axes, x, y, style, color=TALKS):
    axes.annotate(
        "",
        (x[1], y[1]),
        (x[0], y[0]),
        arrowprops={
            "arrowstyle": style,
            "color": color,
            "shrinkA": 0,
            "shrinkB": 0,
        },
    )


def _lines(layer, lanes):
    """What the box of one column says."""
    count = layer.units // lanes
    if layer.kernel is None:
        inside = f"{count} units"
    else:
        inside = f"{count} of {_by(layer.kernel)}"
        if layer.stride > 1:
            inside += f", stride {layer.stride}"
        if layer.unshared:
            inside += ", unshared"
    return [layer.name, inside, " · ".join(layer.after) or "linear"]


def _facts(layer):
    return [
        _by(layer.shape),
        f"{_short(layer.parameters)} parameters",
        f"{_short(layer.multiply_adds)} mult-adds",
        *layer.norms,
    ]


def _by(numbers):
    """Such as 11x11x3, without spaces, for which boxes have no room."""
    return "x".join(map(str, numbers))


def _short(number):
    """Three digits, such as 37.7 M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)
