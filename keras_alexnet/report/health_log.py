"""What goes on in a network while it is trained, for TensorBoard."""

import dataclasses
import pathlib

import keras
import numpy as np

from keras_alexnet.inspection.statistics import activations
from keras_alexnet.inspection.statistics import layer_statistics
from keras_alexnet.report.pictures import captioned
from keras_alexnet.report.pictures import kernel_mosaics
from keras_alexnet.report.validation_part import validation_part
from keras_alexnet.training.chief import is_chief
from keras_alexnet.undivided import undivided

# Images by whose answers layers are judged.
PROBED = 64


class HealthLog(keras.callbacks.Callback):
    """Writes after each epoch what tells a healthy training from a sick one.

    TensorBoard then shows, in the run `health`,

    - Scalars: per layer the learning rate, the mean absolute weight and the
      mean absolute change of a weight in the epoch's last step, whose ratio
      the author of the paper watched (a thousandth is usual); the share of
      ReLUs that never fire; the epoch's loss and errors;
    - Histograms: weights, and what layers with a ReLU answer;
    - Images: the kernels of the first layer, and the most confident wrong
      answers among the validation images, with both labels;
    - HParams: what `hparams` says.

    Args:
        directory: Path for TensorBoard's files, such as `"runs/x/tensorboard"`
            beside what `fit` writes there.
        validation_data: Iterable of batches of images and labels, as the
            model takes them; or `None`, to write nothing that needs images.
            Defaults to `None`.
        class_names: Sequence of strings. Defaults to the numbers.
        hparams: Dict, or a dataclass such as a `Recipe`. Defaults to `None`.
        worst: Integer, wrong answers that are shown. Defaults to `10`.
        most: Integer, validation images that are looked at after each epoch.
            Defaults to `1000`.

    Raises:
        ImportError: If TensorBoard is not installed.
        ValueError: If `worst` or `most` is less than 1.

    Example:

    >>> import tempfile
    >>> from keras_alexnet.models import CIFARNet
    >>> model = CIFARNet(architecture="cifar_26")
    >>> model.compile("sgd", "sparse_categorical_crossentropy")
    >>> x, y = np.ones((8, 32, 32, 3)), np.arange(8)
    >>> log = HealthLog(tempfile.mkdtemp(), [(x, y)])
    >>> _ = model.fit(x, y, callbacks=[log], verbose=0)
    >>> sorted(path.name for path in log.directory.iterdir())
    ['health']

    Reference: cuda-convnet2's wiki, TrainingExample: the mean absolute weight
    and its change, printed per layer.
    """

    def __init__(
        self,
        directory,
        validation_data=None,
        class_names=None,
        hparams=None,
        worst=10,
        most=1000,
    ):
        super().__init__()
        for name, value in (("worst", worst), ("most", most)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"`{name}` must be a positive integer. "
                    f"Received: {name}={value!r}"
                )
        _api()
        self.directory = pathlib.Path(directory)
        self.validation_data = validation_data
        self.class_names = class_names
        if dataclasses.is_dataclass(hparams):
            hparams = dataclasses.asdict(hparams)
        self.hparams = hparams
        self.worst = worst
        self.most = most

    def on_train_begin(self, logs=None):
        self._writer = None
        self._before = self._updates = None
        if not is_chief(self.model):
            return
        import tensorflow as tf

        self._writer = tf.summary.create_file_writer(
            str(self.directory / "health")
        )
        if self.hparams:
            with self._writer.as_default():
                api = _api()
                values = {k: _plain(v) for k, v in self.hparams.items()}
                api.hparams_config(
                    [
                        api.HParam(name, api.Discrete([value]))
                        for name, value in values.items()
                    ],
                    [api.Metric("epoch/loss"), api.Metric("epoch/val_loss")]
                    + [api.Metric("epoch/val_top1_error")],
                )
                api.hparams(values)

    def on_epoch_begin(self, epoch, logs=None):
        self._updates = None

    def on_train_batch_begin(self, batch, logs=None):
        steps = self.params.get("steps") or 1
        spent = getattr(self.model, "steps_per_execution", 1)
        if self._writer is not None and batch + spent >= steps:
            self._before = self._weights()

    def on_train_batch_end(self, batch, logs=None):
        if self._before is None:
            return
        self._updates = {
            name: float(np.abs(value - self._before[name]).mean())
            for name, value in self._weights().items()
        }
        self._before = None

    def on_epoch_end(self, epoch, logs=None):
        if self._writer is None:
            return
        with self._writer.as_default():
            self._write_weights(epoch)
            self._write_rates(epoch)
            _scalars(
                {f"epoch/{k}": float(v) for k, v in (logs or {}).items()}, epoch
            )
            self._write_kernels(epoch)
            if self.validation_data is not None:
                self._write_answers(epoch)
        self._writer.flush()

    def on_train_end(self, logs=None):
        if self._writer is not None:
            self._writer.close()

    def _weights(self):
        if keras.backend.backend() == "jax":
            # Until then they are in the state that `fit` passes on.
            self.model.jax_state_sync()
        return {
            variable.path: np.asarray(
                keras.ops.convert_to_numpy(variable.value), "float32"
            )
            for variable in self.model.trainable_variables
        }

    def _write_weights(self, epoch):
        import tensorflow as tf

        for name, value in self._weights().items():
            tf.summary.histogram(f"weights/{name}", value, epoch)
            size = float(np.abs(value).mean())
            found = {f"mean_weight/{name}": size}
            if self._updates is not None:
                change = self._updates[name]
                found[f"mean_update/{name}"] = change
                if size > 0:
                    found[f"update_ratio/{name}"] = change / size
            _scalars(found, epoch)

    def _write_rates(self, epoch):
        optimizer = self.model.optimizer
        rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        found = {"learning_rate/all": rate}
        for layer, factor in getattr(optimizer, "multipliers", {}).items():
            found[f"learning_rate/{layer}"] = rate * factor
        if hasattr(optimizer, "bias_multiplier"):
            found["learning_rate/biases"] = rate * optimizer.bias_multiplier
        _scalars(found, epoch)

    def _write_kernels(self, epoch):
        import tensorflow as tf

        try:
            images = kernel_mosaics(self.model)
        # A model without a convolution has none.
        except ValueError:
            return
        for number, image in enumerate(images):
            tf.summary.image(f"kernels/column {number}", image[None], epoch)

    def _write_answers(self, epoch):
        import tensorflow as tf

        model = undivided(self.model)
        part = validation_part(
            model, self.validation_data, self.most, self.worst, PROBED
        )
        dead = {
            name: layer.dead_units
            for name, layer in layer_statistics(model, part.probe).items()
            if layer.dead_units is not None
        }
        _scalars({f"dead_units/{k}": share for k, share in dead.items()}, epoch)
        found = activations(model, part.probe, list(dead))
        for name, value in found.items():
            tf.summary.histogram(f"answers/{name}", value, epoch)
        if len(part.images):
            pictures = np.stack(
                [
                    captioned(image, self._caption(*labels))
                    for image, labels in zip(
                        part.images, part.labels, strict=True
                    )
                ]
            )
            tf.summary.image(
                "worst answers",
                pictures,
                epoch,
                max_outputs=self.worst,
                description=f"The most confident wrong answers among {part.n} "
                "validation images, with the correct class behind.",
            )

    def _caption(self, answer, confidence, label):
        names = self.class_names
        answer, label = (str(names[i] if names else i) for i in (answer, label))
        return f"{answer[:14]} {100 * confidence:.0f} %, not {label[:14]}"


def _api():
    try:
        from tensorboard.plugins.hparams import api
    except ImportError as error:
        raise ImportError(
            "`HealthLog` writes for TensorBoard. Install it with "
            '`pip install "keras-alexnet[examples]"`.'
        ) from error
    return api


def _scalars(values, epoch):
    import tensorflow as tf

    for name, value in values.items():
        tf.summary.scalar(name, value, epoch)


def _plain(value):
    """What TensorBoard can show: a number, a truth value or a text."""
    return value if isinstance(value, bool | int | float | str) else str(value)
