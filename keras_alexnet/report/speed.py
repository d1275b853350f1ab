"""How fast a network answers on this machine."""

import os
import pathlib
import platform
import statistics
import time

import keras
import numpy as np

REPEATS = 5


def measure_speed(model, batch_size=32):
    """Time of one image, and images per second in batches.

    Args:
        model: A `keras.Model` of one image input.
        batch_size: Integer. Defaults to `32`.

    Returns:
        Dict of what was measured to text. Times are medians of five.

    Example:

    >>> model = keras.Sequential([keras.Input((8, 8, 3)),
    ...                           keras.layers.Flatten()])
    >>> list(measure_speed(model))[:2]
    ['one image', 'batches of 32']
    """
    one = _seconds(model, 1)
    many = _seconds(model, batch_size)
    return {
        "one image": f"{1000 * one:.1f} ms",
        f"batches of {batch_size}": f"{batch_size / many:.1f} images/s",
        "hardware": hardware(),
        "software": f"Keras {keras.__version__} on {keras.backend.backend()}",
    }


def _seconds(model, count):
    images = np.zeros((count, *model.input_shape[1:]), "float32")
    times = []
    # The first one builds the graph.
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        model.predict_on_batch(images)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def hardware():
    """The processor as Linux calls it, its cores, and accelerators.

    Returns:
        String.
    """
    info = pathlib.Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line for line in lines if line.startswith("model name")]
    name = names[0].split(": ")[1] if names else platform.processor()
    text = f"{name or platform.machine()}, {os.cpu_count()} cores"
    # "gpu:0" and so on; Keras knows no more than that.
    others = [
        device
        for device in keras.distribution.list_devices()
        if not device.startswith("cpu")
    ]
    return ", ".join([text, *others])
