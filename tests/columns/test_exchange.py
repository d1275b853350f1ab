import keras
import numpy as np
import pytest

from keras_alexnet.columns.exchange import ColumnExchange

COLUMNS = [
    (np.full((2, 3), i) + np.arange(3) / 10).astype("float32") for i in range(3)
]
WHOLE = np.concatenate(COLUMNS, axis=-1)


@pytest.mark.parametrize(
    "halo, ranges",
    [
        (None, [(0, 9)] * 3),
        ((1, 2), [(0, 5), (2, 8), (5, 9)]),
        ((4, 0), [(0, 3), (0, 6), (2, 9)]),
        ((0, 0), [(0, 3), (3, 6), (6, 9)]),
    ],
)
def test_each_column_receives_its_range(halo, ranges):
    exchange = ColumnExchange(halo=halo)
    outputs = exchange(COLUMNS)
    specs = exchange.compute_output_spec(
        [keras.KerasTensor((2, 3)) for _ in COLUMNS]
    )
    for y, spec, (start, stop) in zip(outputs, specs, ranges, strict=True):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(y), WHOLE[:, start:stop]
        )
        assert tuple(spec.shape) == y.shape


def test_channels_first_exchanges_the_channels():
    images = [np.full((2, 3, 4, 4), i, "float32") for i in range(2)]
    left, right = ColumnExchange(axis=1)(images)
    assert left.shape == (2, 6, 4, 4)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(right), np.concatenate(images, axis=1)
    )


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="devices of tf.distribute"
)
@pytest.mark.parametrize("halo", [None, (1, 2)])
def test_gradients_add_up_what_all_columns_send(halo):
    import tensorflow as tf

    from keras_alexnet.distribution import ColumnParallelStrategy

    columns = [tf.constant(x) for x in COLUMNS]
    weights = [
        tf.constant(np.random.default_rng(i).normal(size=(2, 9)), tf.float32)
        for i in range(3)
    ]

    def gradient():
        with tf.GradientTape() as tape:
            tape.watch(columns)
            outputs = ColumnExchange(halo=halo)(columns)
            y = tf.add_n(
                [
                    tf.reduce_sum(x**2 * w[:, : x.shape[1]])
                    for x, w in zip(outputs, weights, strict=True)
                ]
            )
        return tape.gradient(y, columns)

    plain = gradient()
    devices = ["/CPU:1", "/CPU:2", "/CPU:3"]
    with ColumnParallelStrategy(devices).scope():
        placed = gradient()
    for a, b, device in zip(plain, placed, devices, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
        assert b.device.endswith(device.strip("/"))


def test_config_is_complete():
    exchange = ColumnExchange(halo=[1, 2], axis=1)
    again = ColumnExchange.from_config(exchange.get_config())
    assert (again.halo, again.axis) == ((1, 2), 1)
