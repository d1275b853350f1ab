"""Short binary codes from an auto-encoder, as section 6.1 suggests."""

import zipfile

import keras
import numpy as np
from keras import layers
from keras import ops

from keras_alexnet.disk import replacing
from keras_alexnet.retrieval.binary import SignCodes
from keras_alexnet.retrieval.pca_codes import check_bits
from keras_alexnet.retrieval.pca_codes import check_ending
from keras_alexnet.retrieval.pca_codes import checked_vectors


class AutoencoderCodes(SignCodes):
    """Codes of bits from which an auto-encoder can guess the vectors.

    ```
    z = encoder((x - mean) / scale)
    x' = mean + scale decoder(sigmoid(z + noise))
    bit_i = z_i > 0
    ```

    The encoder has hidden layers of ReLUs, the decoder the same in reverse.
    In training noise is added to `z`, so that only values far from 0, which
    are nearly bits, tell the decoder anything. `scale` is one number for all
    components, so that the error is proportional to the squared Euclidean
    distance.

    The paper suggests "training an auto-encoder to compress these vectors to
    short binary codes" and does not say how. This is the least of what
    Krizhevsky and Hinton did with pixels: they had more layers, and
    pre-trained them.

    `fit` makes one; the argument here is what it finds.

    Args:
        encoder: A `keras.Model` from vectors `(n, width)` to `z`,
            `(n, bits)`.

    Attributes:
        history: Dict of `"loss"`, a list of values per epoch: squared errors
            of the guesses as a share of the vectors' variance. Empty if it
            was loaded.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> codes = AutoencoderCodes.fit(
    ...     rng.normal(size=(64, 20)), bits=12, hidden=(16,), epochs=1)
    >>> codes.encode(np.zeros((3, 20))).shape, codes.bits
    ((3, 2), 12)

    Reference: [Krizhevsky et al., 2012](
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks),
    section 6.1; Krizhevsky and Hinton, "Using very deep autoencoders for
    content-based image retrieval", ESANN 2011.
    """

    def __init__(self, encoder):
        self.encoder = encoder
        self.history = {}

    @property
    def bits(self):
        return self.encoder.output_shape[-1]

    @classmethod
    def fit(
        cls,
        vectors,
        bits,
        hidden=(1024, 256),
        noise=1.0,
        epochs=20,
        batch_size=128,
        learning_rate=0.001,
        seed=0,
        verbose=0,
    ):
        """Trains an auto-encoder on vectors.

        Args:
            vectors: Array of shape `(n, width)`.
            bits: Integer.
            hidden: Tuple of integers, widths of the encoder's hidden layers.
                Defaults to `(1024, 256)`.
            noise: Float, standard deviation of the noise on `z` in training,
                0 or more. Without noise the decoder reads more from `z` than
                its sign; with much of it some bits never change. Defaults to
                `1.0`.
            epochs: Integer. Defaults to `20`.
            batch_size: Integer. Defaults to `128`.
            learning_rate: Float, Adam's at the beginning; it falls to 0 along
                a cosine. Defaults to `0.001`.
            seed: Integer, of the weights, the order and the noise. Keras's
                generators are set to it. Defaults to `0`.
            verbose: As of `keras.Model.fit`. Defaults to `0`.

        Returns:
            An `AutoencoderCodes`.

        Raises:
            ValueError: If an argument is out of its range, or vectors are not
                finite, too few or all equal.
            FloatingPointError: If the training diverges.
        """
        vectors = checked_vectors(vectors)
        check_bits(bits)
        _check_range(noise=noise, learning_rate=learning_rate)
        if len(vectors) < 2 or not np.ptp(vectors, axis=0).any():
            raise ValueError(
                "`vectors` must be two or more and not all equal. "
                f"Received: {len(vectors)} of them"
            )
        keras.utils.set_random_seed(seed)
        mean = vectors.mean(axis=0)
        scale = float(np.sqrt(np.mean((vectors - mean) ** 2)))
        encoder = _encoder(mean, scale, bits, hidden)
        autoencoder = _with_decoder(encoder, hidden, noise)
        steps = epochs * -(-len(vectors) // batch_size)
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
        autoencoder.compile(keras.optimizers.Adam(rate), "mse")
        history = autoencoder.fit(
            vectors,
            (vectors - mean) / scale,
            batch_size,
            epochs,
            verbose=verbose,
        ).history
        if not np.isfinite(history["loss"][-1]):
            raise FloatingPointError(
                f"The auto-encoder's loss is {history['loss'][-1]}. Lower "
                f"`learning_rate`. Received: learning_rate={learning_rate}"
            )
        codes = cls(encoder)
        codes.history = history
        return codes

    def project(self, vectors):
        """The values whose signs are the bits.

        Args:
            vectors: Array of shape `(n, width)`.

        Returns:
            float32 array of shape `(n, bits)`.
        """
        vectors = checked_vectors(vectors, self.encoder.input_shape[-1])
        return self.encoder.predict(vectors, batch_size=1024, verbose=0)

    def save(self, path):
        """Writes the encoder to a file of Keras, in full or not at all.

        Args:
            path: Path that ends in `.keras`.
        """
        check_ending(path, ".keras")
        with replacing(path) as temporary:
            self.encoder.save(temporary)

    @classmethod
    def load(cls, path):
        """Reads what `save` wrote.

        Args:
            path: Path.

        Returns:
            An `AutoencoderCodes`.

        Raises:
            ValueError: If the file is damaged or holds something else.
        """
        check_ending(path, ".keras")
        try:
            encoder = keras.saving.load_model(path, compile=False)
            if len(encoder.input_shape) != 2 or len(encoder.output_shape) != 2:
                raise ValueError("it is no model of vectors")
        except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{path} is absent, damaged, or holds no `AutoencoderCodes`: "
                f"{error}"
            ) from error
        return cls(encoder)


def _encoder(mean, scale, bits, hidden):
    x = inputs = keras.Input((len(mean),))
    x = layers.Normalization(mean=mean, variance=np.full(len(mean), scale**2))(
        x
    )
    for width in hidden:
        x = layers.Dense(width, "relu", kernel_initializer="he_normal")(x)
    return keras.Model(inputs, layers.Dense(bits)(x), name="encoder")


def _with_decoder(encoder, hidden, noise):
    x = encoder.output
    if noise:
        # Keras's layer takes no more than 1.
        x = noise * layers.GaussianNoise(1.0)(x / noise)
    # From -1 to 1, so that the decoder begins without a bias.
    x = 2 * ops.sigmoid(x) - 1
    for width in reversed(hidden):
        x = layers.Dense(width, "relu", kernel_initializer="he_normal")(x)
    return keras.Model(encoder.input, layers.Dense(encoder.input_shape[-1])(x))


def _check_range(noise, learning_rate):
    if not 0 <= noise < np.inf:
        raise ValueError(f"`noise` must be 0 or more. Received: noise={noise}")
    if not 0 < learning_rate < np.inf:
        raise ValueError(
            "`learning_rate` must be positive. "
            f"Received: learning_rate={learning_rate}"
        )
