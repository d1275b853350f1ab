"""Teaches a trained network the classes of another, smaller set of images.

    python examples/transfer.py --dataset=photos --weights=imagenet
    python examples/transfer.py --dataset=cifar10 --weights=net.caffemodel

`photos` is a folder with one folder of images per class; any TFDS name will
do. First a new last layer is trained on frozen features. Then all layers are,
as the author of the paper fine-tuned his: the new layer at ten times the
common rate, `conv1` at a tenth of it. For comparison the same network is
trained from random weights, on the same batches and for as many epochs.
"""

import json
import os
import pathlib

os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from absl import app
from absl import flags

from keras_alexnet.data import TrainingData
from keras_alexnet.data import center_view
from keras_alexnet.data import evaluation_data
from keras_alexnet.data import load_source
from keras_alexnet.evaluation import evaluate
from keras_alexnet.layers import LocalResponseNormalization
from keras_alexnet.models import load_network
from keras_alexnet.models.presets import ARCHITECTURES
from keras_alexnet.training import AlexNetSGD
from keras_alexnet.training import EpochSeek
from keras_alexnet.training import TopKError
from keras_alexnet.training import cosine_schedule

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "dataset", None, "A TFDS name or a folder of class folders.", required=True
)
flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data sets.")
flags.DEFINE_string(
    "weights",
    "imagenet",
    '"imagenet", or a .caffemodel, .pth, .safetensors or .keras file.',
)
flags.DEFINE_enum(
    "architecture", None, list(ARCHITECTURES), "The file's own by default."
)
flags.DEFINE_integer("frozen_epochs", 3, "Of the last layer alone.")
flags.DEFINE_integer("epochs", 7, "Of all layers, after that.")
flags.DEFINE_float("learning_rate", 1e-3, "Of all layers; it falls to 0.")
flags.DEFINE_integer("batch_size", 64, "Images per step.")
flags.DEFINE_bool("flip", True, "Mirror images; not for letters and digits.")
flags.DEFINE_bool("random", True, "Also train from random weights.")
flags.DEFINE_string("output", "runs/transfer", "Folder for what is saved.")
flags.DEFINE_integer("seed", 0, "Of initialization, order and augmentation.")

# Fine-tuning of net #146 (layer-params of the 2012 code): 1e-2 for the new
# layer, 1e-3 for the others, 1e-4 for conv1.
MULTIPLIERS = {"fc8": 10, "conv1": 0.1}
# Of natural images, in grey levels.
PIXEL_STD = 58.0


def with_new_classes(network, classes):
    """The network with another last layer."""
    fc8 = keras.layers.Dense(
        classes,
        name="fc8",
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
    )
    prob = keras.layers.Activation("softmax", name="prob")
    features = network.get_layer("fc8").input
    return keras.Model(network.input, prob(fc8(features)), name="transfer")


def from_random(network):
    """The same network with random weights that short training suits.

    Those of He et al., and pixels of unit variance, with LRN's alphas in
    proportion: what the recipe `small_data` does.
    """
    center = network.get_layer("preprocessing")
    scale = PIXEL_STD / np.mean(center.std)

    def renew(layer):
        config = layer.get_config()
        if "kernel_initializer" in config:
            config["kernel_initializer"] = "he_normal"
            config["bias_initializer"] = "zeros"
        if isinstance(layer, LocalResponseNormalization):
            config["alpha"] *= scale**2
        if layer is center:
            config["std"] = [scale * std for std in np.ravel(center.std)]
            config["std"] *= 3 // len(config["std"])
        return type(layer).from_config(config)

    clone = keras.models.clone_model(network, clone_function=renew)
    clone.get_layer("preprocessing").set_weights(center.get_weights())
    return clone


def train(model, optimizer, data, validation, first, last):
    """Trains from epoch `first` to `last`, the rate falling to 0."""
    rate = float(optimizer.learning_rate)
    schedule = cosine_schedule(rate, last - first).schedule
    classes = model.output_shape[-1]
    model.compile(
        optimizer,
        "sparse_categorical_crossentropy",
        metrics=[TopKError(k) for k in (1, 5) if k < classes],
    )
    model.fit(
        data.dataset,
        validation_data=validation,
        initial_epoch=first,
        epochs=last,
        callbacks=[
            EpochSeek(data),
            keras.callbacks.LearningRateScheduler(
                lambda epoch: schedule(epoch - first)
            ),
        ],
        shuffle=False,
        verbose=2,
    )


def measure(name, model, source, results):
    """Errors on the test images, printed and noted."""
    data = evaluation_data(
        source, "test", model.input_shape[1], FLAGS.batch_size
    )
    errors = evaluate(model, data, "center", class_names=source.class_names)
    results[name] = {
        field: getattr(errors, field)
        for field in ("n", "top1_error", "top1_interval", "top5_error")
    }
    print(f"\n{name}: {errors}\n")


def main(_):
    keras.utils.set_random_seed(FLAGS.seed)
    output = pathlib.Path(FLAGS.output)
    output.mkdir(parents=True, exist_ok=True)
    source = load_source(FLAGS.dataset, FLAGS.data_dir)
    network = load_network(FLAGS.weights, FLAGS.architecture)
    model = with_new_classes(network, len(source.class_names))
    untrained = from_random(model) if FLAGS.random else None
    size = model.input_shape[1]
    data = TrainingData(
        source,
        input_size=size,
        batch_size=FLAGS.batch_size,
        flip=FLAGS.flip,
        color=False,
        seed=FLAGS.seed,
    )
    validation = evaluation_data(source, "test", size, FLAGS.batch_size).map(
        lambda images, labels: (center_view(images, size), labels)
    )
    frozen, last = FLAGS.frozen_epochs, FLAGS.frozen_epochs + FLAGS.epochs
    results = {}

    if frozen:
        for layer in model.layers:
            layer.trainable = layer.name == "fc8"
        rate = 10 * FLAGS.learning_rate
        train(model, AlexNetSGD(rate), data, validation, 0, frozen)
        measure("frozen features", model, source, results)
    if FLAGS.epochs:
        for layer in model.layers:
            layer.trainable = True
        optimizer = AlexNetSGD(FLAGS.learning_rate, multipliers=MULTIPLIERS)
        train(model, optimizer, data, validation, frozen, last)
        measure("fine-tuned", model, source, results)
    if untrained is not None:
        train(untrained, AlexNetSGD(0.01), data, validation, 0, last)
        measure("from random weights", untrained, source, results)

    model.save(output / "alexnet.keras")
    names = "".join(f"{name}\n" for name in source.class_names)
    (output / "classes.txt").write_text(names)
    (output / "errors.json").write_text(json.dumps(results, indent=2))
    for name, errors in results.items():
        low, high = errors["top1_interval"]
        print(
            f"{name:20} top-1 error {100 * errors['top1_error']:5.1f} %  "
            f"({100 * low:.1f} to {100 * high:.1f}, n = {errors['n']})"
        )
    print(f"Saved {output}/alexnet.keras, classes.txt, errors.json")


if __name__ == "__main__":
    app.run(main)
