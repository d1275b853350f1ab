"""Fixtures: one seed, four logical CPU devices, the folder of real images."""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import pytest

LOGICAL_DEVICES = 4


def pytest_configure(config):
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * LOGICAL_DEVICES
    )


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(0)
    yield
    keras.backend.clear_session()


@pytest.fixture(scope="session")
def shared_tfds():
    """The folder of prepared TFDS datasets beside the checkout."""
    default = pathlib.Path(__file__).parents[2] / "shared" / "tfds"
    folder = pathlib.Path(os.environ.get("KERAS_ALEXNET_TFDS", default))
    if not folder.is_dir():
        pytest.skip(
            f"needs real images in TFDS format: {folder} is absent "
            "(set KERAS_ALEXNET_TFDS to a prepared data_dir)"
        )
    return folder
