import json
import random

import keras
import numpy as np

from keras_alexnet.training.random_state import get_random_state
from keras_alexnet.training.random_state import set_random_state


def draw():
    x = np.ones((4, 4), "float32")
    dropped = keras.layers.Dropout(0.5)(x, training=True)
    return (
        random.random(),
        random.gauss(0, 1),
        np.random.rand(),
        np.random.standard_normal(),
        keras.ops.convert_to_numpy(dropped).tolist(),
    )


def test_draws_repeat():
    draw()
    state = json.loads(json.dumps(get_random_state()))
    first = draw()
    assert draw()[:4] != first[:4]
    set_random_state(state)
    assert draw() == first


def test_a_state_of_another_backend_is_no_trouble():
    state = get_random_state()
    state["torch"] = state.get("torch", [0])
    set_random_state(state)
    state.pop("torch")
    set_random_state(state)
