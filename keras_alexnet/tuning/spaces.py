"""Search spaces: from hyperparameters to an `Architecture`."""

import dataclasses

from keras_alexnet.models.presets import require_chain
from keras_alexnet.studies.history_2012 import CONNECTIONS
from keras_alexnet.studies.history_2012 import NORMS

# How the words of `Architecture.stages` are ordered, by where the
# normalization stands. Max-pooling and ReLU may be swapped, so "before relu"
# is the order of net #145's conv1 too: norm, pool, ReLU.
ORDERS = {
    "before relu": ("norm", "spatial_norm", "activation", "pool"),
    "after relu": ("activation", "norm", "spatial_norm", "pool"),
    "after pooling": ("activation", "pool", "norm", "spatial_norm"),
}


class LRNSpace:
    """The response normalization's k, n, alpha, beta, and where it stands.

    | name | values |
    |---|---|
    | `norms` | the layers: `"conv1 conv2"`, `"conv1"`, `"conv2"`, `"none"` |
    | `n` | 3, 5, 7, 9 |
    | `k` | 0.25 to 4, on a logarithmic scale |
    | `alpha` | 1e-6 to 1e-2, on a logarithmic scale |
    | `beta` | 0.25 to 1 |
    | `order1`, `order2` | before or after ReLU, or after pooling |
    | `across_columns` | whether windows reach into the next column |

    Of one column there is no `across_columns`.

    The defaults are the architecture's. Convention: `alpha` is the
    architecture's own, for pixels of 0-255: with `lrn_convention="mean"` it
    is divided by n, with `"sum"` it is not.

    Args:
        architecture: An `Architecture`; it gives all that the table does
            not have.

    Raises:
        ValueError: If it has fewer than two convolutions, or is no chain of
            layers.
    """

    def __init__(self, architecture):
        require_chain(architecture)
        if len(architecture.stages) < 2:
            raise ValueError(
                "`architecture` must have two convolutions to normalize. "
                f"Received: stages={architecture.stages}"
            )
        self.base = architecture

    def architecture(self, hp):
        """The `Architecture` of a `keras_tuner.HyperParameters`."""
        base = self.base
        choices = ("conv1 conv2", "conv1", "conv2", "none")
        norms = hp.Choice("norms", choices, default=self._norms())
        changes = {}
        with hp.conditional_scope("norms", choices[:3]):
            n = hp.Choice(
                "n", sorted({3, 5, 7, 9, base.lrn_n}), default=base.lrn_n
            )
            k = _float(hp, "k", 0.25, 4.0, base.lrn_k, "log")
            alpha = _float(hp, "alpha", 1e-6, 1e-2, base.lrn_alpha, "log")
            beta = _float(hp, "beta", 0.25, 1.0, base.lrn_beta)
            across = base.lrn_across_columns
            if base.columns > 1:
                across = hp.Boolean("across_columns", default=across)
            if norms != "none":
                changes = {
                    "lrn_n": n,
                    "lrn_k": k,
                    "lrn_alpha": alpha,
                    "lrn_beta": beta,
                    "lrn_across_columns": across,
                }
        stages = list(base.stages)
        for index, layer in enumerate(("conv1", "conv2")):
            holders = [choice for choice in choices if layer in choice]
            with hp.conditional_scope("norms", holders):
                order = hp.Choice(
                    f"order{index + 1}",
                    list(ORDERS),
                    default=_order(base.stages[index]),
                )
                order = order if norms in holders else None
            stages[index] = _arranged(stages[index], order)
        return dataclasses.replace(base, stages=tuple(stages), **changes)

    def author_trials(self):
        """What the author of the network tried, in this space.

        Returns:
            List of dicts from names to values; the architecture's own values
            come first.
        """
        trials = [{}]
        for trial in NORMS:
            trial = {"norms": "conv1 conv2", "order2": "after relu", **trial}
            trial["across_columns"] = False
            if "alpha" in trial and self.base.lrn_convention == "sum":
                trial["alpha"] /= trial["n"]
            trials.append(trial)
        return trials

    def _norms(self):
        names = zip(("conv1", "conv2"), self.base.stages, strict=False)
        found = [name for name, words in names if "norm" in words]
        return " ".join(found) or "none"


class ConnectivitySpace:
    """Which of conv2 and on, fc6 and fc7 see all columns.

    Each layer has a Boolean of its name. Convention: widths stay, so a layer
    that sees all columns has more weights. The author's nets without crossings
    were wider, and those with more of them narrower.

    Args:
        architecture: An `Architecture` of two columns or more.

    Raises:
        ValueError: If it has but one column, or is no chain of layers.
    """

    def __init__(self, architecture):
        require_chain(architecture)
        if architecture.columns < 2:
            raise ValueError(
                "`architecture` must have columns to connect. "
                f"Received: columns={architecture.columns} of "
                f"{architecture.name!r}"
            )
        self.base = architecture

    @property
    def _names(self):
        return self.base.layer_names[1:-1]

    def architecture(self, hp):
        """The `Architecture` of a `keras_tuner.HyperParameters`."""
        cross = tuple(
            name
            for name in self._names
            if hp.Boolean(name, default=name in self.base.cross)
        )
        return dataclasses.replace(self.base, cross=cross)

    def author_trials(self):
        """What the author of the network tried, as `LRNSpace` gives it."""
        return [{}] + [
            {name: name in cross for name in self._names}
            for cross in CONNECTIONS
        ]


def _float(hp, name, low, high, default, sampling="linear"):
    low, high = min(low, default), max(high, default)
    return hp.Float(name, low, high, sampling=sampling, default=default)


def _order(words):
    if "norm" not in words:
        return "after relu"
    place = words.index("norm")
    if place < words.index("activation"):
        return "before relu"
    pooled = "pool" in words and words.index("pool") < place
    return "after pooling" if pooled else "after relu"


def _arranged(words, order):
    """Stages with the normalization in its place, or without it."""
    if order == _order(words) and "norm" in words:
        return words
    words = set(words)
    if order is None:
        words -= {"norm", "spatial_norm"}
        order = "after relu"
    else:
        words.add("norm")
    return tuple(word for word in ORDERS[order] if word in words)
