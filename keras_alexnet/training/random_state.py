"""The global random generators, which callbacks and data may draw from."""

import random

import keras
import numpy as np


def get_random_state():
    """State of Python's and NumPy's generators, and of PyTorch's backend.

    Keras's PyTorch backend draws dropout from PyTorch's global generator; the
    other backends keep such state in the layers.

    Returns:
        Dict that JSON can hold, for `set_random_state`.

    Example:

    >>> state = get_random_state()
    >>> first = random.random()
    >>> set_random_state(state)
    >>> random.random() == first
    True
    """
    name, keys, *rest = np.random.get_state()
    state = {"python": random.getstate(), "numpy": [name, keys.tolist(), *rest]}
    if keras.backend.backend() == "torch":
        import torch

        state["torch"] = torch.get_rng_state().tolist()
    return state


def set_random_state(state):
    """Goes back to where `get_random_state` was called.

    Args:
        state: What it returned.
    """
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    np.random.set_state(state["numpy"])
    if keras.backend.backend() == "torch" and "torch" in state:
        import torch

        torch.set_rng_state(torch.tensor(state["torch"], dtype=torch.uint8))
