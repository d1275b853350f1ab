"""A training on one device and on columns of them, on the JAX backend.

    KERAS_BACKEND=jax XLA_FLAGS=... python jax_columns.py BATCH COLUMNS OUTPUT

The mesh has `BATCH` times `COLUMNS` devices. Saves the weights of both. With
a fourth argument grouped convolutions are left to XLA.
"""

import dataclasses
import sys

import keras
import numpy as np

from keras_alexnet import AlexNet
from keras_alexnet.layers import grouped_conv2d
from keras_alexnet.models import PAPER

SMALL = dataclasses.replace(
    PAPER,
    filters=(8, 8, 16, 16),
    kernel_sizes=(5, 3, 3, 3),
    strides=(2, 1, 1, 1),
    paddings=("ceil", "same", "same", "same"),
    stages=(
        ("activation", "norm", "pool"),
        ("activation", "norm"),
        ("activation",),
        ("activation", "pool"),
    ),
    fc_units=(32, 16),
    dropout=0.0,
    initial_stds=("he",) * 7,
    initial_biases=(0.1,) * 7,
)


def train():
    keras.utils.set_random_seed(0)
    model = AlexNet(input_shape=(35, 35, 3), classes=4, architecture=SMALL)
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        "sparse_categorical_crossentropy",
    )
    rng = np.random.default_rng(0)
    x = rng.normal(size=(16, 35, 35, 3)).astype("float32")
    y = np.arange(16) % 4
    model.fit(x, y, batch_size=8, epochs=1, shuffle=False, verbose=0)
    return model


def main(batch, columns, output):
    # Imported here: this is the side that differs.
    from keras_alexnet.distribution.sharding import column_layout_map

    alone = train()
    keras.backend.clear_session()
    mesh = keras.distribution.DeviceMesh(
        (batch, columns),
        ("batch", "column"),
        keras.distribution.list_devices()[: batch * columns],
    )
    keras.distribution.set_distribution(
        keras.distribution.ModelParallel(
            layout_map=column_layout_map(mesh), batch_dim_name="batch"
        )
    )
    divided = train()
    shards = {
        variable.path: str(variable.value.sharding.spec)
        for variable in divided.weights + divided.optimizer.variables
    }
    arrays = {}
    for name, model in (("alone", alone), ("divided", divided)):
        for index, weight in enumerate(model.weights):
            arrays[f"{name}{index}"] = np.asarray(weight.value)
    np.savez(output, shards=np.array(str(shards)), **arrays)


if __name__ == "__main__":
    if len(sys.argv) > 4:
        grouped_conv2d.column_distribution = lambda groups: None
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
