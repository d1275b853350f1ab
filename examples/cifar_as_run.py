"""The author's run of his 13 % net on CIFAR-10, beside his log.

    python examples/cifar_as_run.py --data_dir=../shared/tfds
    python examples/cifar_as_run.py --architecture=cifar_11 --epochs=60

trains as `docs/Methodology.md` of cuda-convnet tells: 100 epochs of four
fifths of the training images, 40 of all of them, then 10 each at a tenth and a
hundredth of the rate, on random crops of 24 pixels and their mirror images;
and tests with ten views. `--epochs` runs another number in the same
proportions. The 11 % net, which has LRN, is trained in these proportions, too:
he gave it 520 epochs, of which no log is public. A run that is interrupted goes
on when it is started again with the same `--output`. `--card` names a
`.safetensors` file of weights in 16 bits; beside it a card in Markdown is
written, with what that file was measured to do.

One departure: the velocities start anew where the last fifth is added.
"""

import dataclasses
import json
import os
import pathlib

os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from absl import app
from absl import flags

from keras_alexnet.data import evaluation_data
from keras_alexnet.data import load_source
from keras_alexnet.evaluation import evaluate
from keras_alexnet.evaluation import predict_views
from keras_alexnet.models import load_network
from keras_alexnet.models import resolve_architecture
from keras_alexnet.models import save_weights
from keras_alexnet.report import hardware
from keras_alexnet.training import RECIPES
from keras_alexnet.training import train

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "dataset", "cifar10", "A TFDS name, a folder of class folders, or digits."
)
flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data sets.")
flags.DEFINE_enum(
    "architecture", "cifar_13", ["cifar_13", "cifar_11"], "What is trained."
)
flags.DEFINE_integer("epochs", 160, "All of them.", lower_bound=4)
flags.DEFINE_integer("seed", 0, "Of initialization, order and augmentation.")
flags.DEFINE_string(
    "output", "runs/cifar_as_run", "Folder for all that is saved."
)
flags.DEFINE_string("card", None, "A .safetensors file, to be written, too.")

# Of the 13 % net. docs/Methodology.md: the cost in nats and the error, of a
# training batch at epoch 100 ("100.3") and of the test images with ten views.
LOGS = {
    "cifar_13": {
        "training, epoch 100": (0.405222, 0.141100),
        "test, ten views": (0.423908, 0.126000),
    },
    "cifar_11": {},
}
# What a card says of the author's own run.
THEN = {
    "cifar_13": "the author's log of 2011 | 12.60 %, 0.424 nats, ten views, "
    "after 160 epochs",
    "cifar_11": "the author | 11 % by the name of its files, ten views, after "
    "520 epochs",
}
# Held out until epoch 100: the last of the five batches.
HOLDOUT = 0.2


def part(epochs):
    """A number of the author's 160 epochs, as a share of `--epochs`."""
    return max(1, round(epochs * FLAGS.epochs / RECIPES["cifar_13"].epochs))


def test_data(source):
    resize = resolve_architecture(FLAGS.architecture).resize()
    return evaluation_data(source, "test", resize=resize)


def test_cost_and_error(model, source):
    """Nats and error of the probabilities averaged over ten views."""
    costs, wrong = [], []
    data = test_data(source)
    for images, labels in data:
        labels = np.asarray(labels)
        probabilities = predict_views(model, images, "ten")
        right = probabilities[np.arange(len(labels)), labels]
        costs.append(-np.log(np.maximum(right, 1e-12)))
        wrong.append(probabilities.argmax(axis=1) != labels)
    costs, wrong = np.concatenate(costs), np.concatenate(wrong)
    return float(costs.mean()), float(wrong.mean())


def center_error(model, source):
    """The error of the central view of the test images."""
    return evaluate(model, test_data(source), "center").top1_error


CARD = """# Weights of the {percent} % net

| | |
|---|---|
| network | `CIFARNet(architecture="{architecture}")` |
| file | {parameters:,} parameters in 16 bits |
| error, ten views | {ten:.2%} of the {n:,} test images, {nats:.3f} nats |
| error, central view | {center:.2%} |
| {then} |
| training | {epochs} epochs: `{command}` |
| data | {source}: {train:,} training images |
| hardware | {hardware} |
| classes | {classes} |
| license | Apache-2.0, as the package |

The training follows the author's schedule of the 13 % net, or, with fewer
epochs, its proportions. The network takes crops of 24 pixels from images of
32: raw RGB in 0-255, from which it subtracts the mean image that is in the
file. It knows the classes above, and nothing else.
"""


def write_card(model, source):
    """Writes the weights, measures them as they were written, and says so."""
    path = pathlib.Path(FLAGS.card)
    save_weights(model, path, dtype="float16")
    written = load_network(path)
    nats, ten = test_cost_and_error(written, source)
    text = CARD.format(
        architecture=FLAGS.architecture,
        percent=FLAGS.architecture.removeprefix("cifar_"),
        then=THEN[FLAGS.architecture],
        parameters=written.count_params(),
        ten=ten,
        nats=nats,
        n=source.counts["test"],
        center=center_error(written, source),
        epochs=FLAGS.epochs,
        command=(
            "python examples/cifar_as_run.py "
            f"--architecture={FLAGS.architecture} --epochs={FLAGS.epochs}"
        ),
        source=source.name,
        train=source.counts["train"],
        hardware=hardware(),
        classes=", ".join(source.class_names),
    )
    path.with_suffix(".md").write_text(text)
    print(f"Saved {path} and its card")


def draw(result, path):
    """The training's curves, with the two points of the author's log."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    epochs = range(1, result["epochs"] + 1)
    places = {"training, epoch 100": part(100), "test, ten views": len(epochs)}
    columns = (("loss", "cost, nats", 1), ("top1_error", "top-1 error, %", 100))
    for column, axes in enumerate(figure.subplots(1, 2)):
        name, label, factor = columns[column]
        values = [factor * value for value in result["history"][name]]
        axes.plot(epochs, values, "k-", label="training batches, here")
        for (what, epoch), marker in zip(places.items(), "os", strict=True):
            for source, fill in (("found", "k"), ("log_of_2011", "none")):
                if what not in result[source]:
                    continue
                axes.plot(
                    epoch,
                    factor * result[source][what][column],
                    marker,
                    color="k",
                    markerfacecolor=fill,
                    linestyle="none",
                    label=f"{what}, {'here' if fill == 'k' else '2011'}",
                )
        axes.set_xlabel(f"epoch of {len(epochs)} (2011: of 160)")
        axes.set_ylabel(label)
        axes.set_ylim(0)
    axes.legend(frameon=False, fontsize="small")
    figure.savefig(path, dpi=120)


def main(_):
    if FLAGS.card and not FLAGS.card.endswith(".safetensors"):
        # Said now, and not when all is trained.
        raise app.UsageError("--card must end in .safetensors.")
    output = pathlib.Path(FLAGS.output)
    recipe = dataclasses.replace(
        RECIPES["cifar_13"],
        name=FLAGS.architecture,
        weight_decays=RECIPES[FLAGS.architecture].weight_decays,
    )
    first = dataclasses.replace(
        recipe,
        epochs=part(100),
        schedule="constant",
        milestones=(),
    )
    training = train(
        load_source(FLAGS.dataset, FLAGS.data_dir, holdout=HOLDOUT),
        FLAGS.architecture,
        first,
        output / "four_fifths",
        cache=output / "images",
        seed=FLAGS.seed,
        verbose=2,
    )
    history = dict(training.history)
    source = load_source(FLAGS.dataset, FLAGS.data_dir)
    second = dataclasses.replace(
        recipe, epochs=part(60), milestones=(40 / 60, 50 / 60)
    )
    training = train(
        source,
        None,
        second,
        output / "all",
        weights=output / "four_fifths" / "alexnet.keras",
        cache=output / "images",
        # Looking at the test images after each epoch would decide nothing.
        validation=None,
        seed=FLAGS.seed,
        verbose=2,
    )
    for name, values in training.history.items():
        history[name] = [*history.get(name, ()), *values]
    found = {
        "training, epoch 100": (
            history["loss"][part(100) - 1],
            history["top1_error"][part(100) - 1],
        ),
        "test, ten views": test_cost_and_error(training.model, source),
    }
    print(f"{'':22} {'ours':>16} {'2011':>16}")
    log = LOGS[FLAGS.architecture]
    for name, (nats, error) in found.items():
        line = f"{name:22} {nats:.3f}, {error:7.2%}"
        if name in log:
            line += f" {log[name][0]:8.3f}, {log[name][1]:6.2%}"
        print(line)
    result = {
        "architecture": FLAGS.architecture,
        "hardware": hardware(),
        "epochs": FLAGS.epochs,
        "seed": FLAGS.seed,
        "n": source.counts["test"],
        "found": found,
        "log_of_2011": log,
        "history": history,
    }
    (output / "result.json").write_text(json.dumps(result, indent=1))
    draw(result, output / "curves.png")
    saved = output / f"{FLAGS.architecture}.keras"
    training.model.save(saved)
    print(f"Saved {saved}, result.json, curves.png")
    if FLAGS.card:
        write_card(training.model, source)


if __name__ == "__main__":
    app.run(main)
