"""One self-contained page about a training."""

import pathlib
import re

import numpy as np

from keras_alexnet.disk import replacing
from keras_alexnet.evaluation.answers import answers
from keras_alexnet.inspection.grad_cam import grad_cam
from keras_alexnet.inspection.kernels import color_specialization
from keras_alexnet.inspection.statistics import layer_statistics
from keras_alexnet.report import sections
from keras_alexnet.report.page import page
from keras_alexnet.report.page import paragraph
from keras_alexnet.report.pictures import kernel_mosaics
from keras_alexnet.report.pictures import overlaid
from keras_alexnet.report.run import read_run
from keras_alexnet.report.speed import measure_speed

# Images by which layers are judged.
JUDGED = 64


def write_report(
    directory,
    path=None,
    source=None,
    *,
    data_dir=None,
    views="center",
    split="test",
    count=10,
    on_error="raise",
):
    """Writes a page of HTML about what `train` has left in a directory.

    The page holds all its pictures and requests nothing: it can be mailed,
    and read on a phone. It tells the errors with their intervals; how the
    configuration differs from the paper's; the curves, the confusions, the
    errors per class, the calibration; the first layer's kernels; the most
    confident wrong and right answers with what the network looked at
    (Grad-CAM for its answer); dead units; and the speed on this machine.

    Args:
        directory: Path, that of `train(directory=...)` or of
            `examples/train.py --output=...`.
        path: Path of the page. Defaults to `report.html` in the directory.
        source: The `Source` of the images, or what `load_source` takes.
            Defaults to what the directory says.
        data_dir: As of `load_source`.
        views: `"center"`, `"ten"` or `"nine"`. Defaults to `"center"`.
        split: String. Defaults to `"test"`. There is a `"holdout"` where
            `train` has held out images by itself, a tenth; for other shares,
            give a `Source`.
        count: Integer, wrong and right answers that are shown. Defaults to
            `10`.
        on_error: As of `load_source`: `"skip"` leaves out damaged files.
            Defaults to `"raise"`.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: If the directory is not one of a training that has ended,
            is damaged, or the images are not there, damaged or of other
            classes; or if an argument is out of its range.

    Example:

    >>> import tempfile
    >>> from keras_alexnet.models import CIFAR_26
    >>> from keras_alexnet.training.training import train
    >>> folder = tempfile.mkdtemp()
    >>> _ = train("digits", CIFAR_26, "cifar_26", folder, epochs=1, verbose=0)
    >>> write_report(folder, count=2).name
    'report.html'
    """
    # Imported here: it needs TensorFlow's input pipelines.
    from keras_alexnet.report.images import TestImages

    if not isinstance(count, int) or count < 0:
        raise ValueError(
            f"`count` must be an integer, 0 or more. Received: count={count!r}"
        )
    run = read_run(directory)
    model = run.model()
    tests = TestImages(run, model, source, data_dir, split, on_error)
    found = _answers(model, tests, views)
    parts = [
        ("", _head(run, tests)),
        ("Result", sections.summary(run, found, model, split)),
        ("Configuration", sections.configuration(run)),
        ("Before the first step", sections.preflight(run)),
        ("Curves", sections.curves(run)),
        ("Errors per class", sections.classes(found)),
        ("Confusions", sections.confusions(found)),
        ("Calibration", sections.calibrated(found)),
        ("Kernels of the first layer", _kernels(model)),
        *_predictions(model, found, tests, count),
        ("Layers", _layers(model, tests)),
        ("Speed", sections.speed(measure_speed(model), run)),
    ]
    path = pathlib.Path(path or run.directory / "report.html")
    with replacing(path) as temporary:
        pathlib.Path(temporary).write_text(
            page(_title(run, tests), parts),
            encoding="utf-8",
            # Names of files need not be text.
            errors="backslashreplace",
        )
    return path


def _answers(model, tests, views):
    import tensorflow as tf

    names = tests.source.class_names
    try:
        return answers(model, tests.dataset(), views, names)
    except tf.errors.InvalidArgumentError as error:
        unreadable = re.search("Cannot decode the image [^\n]*", str(error))
        if unreadable is None:
            raise
        raise ValueError(
            f"{unreadable[0]}, `write_report` or, in the shell, --on_error=skip"
        ) from error


def _title(run, tests):
    name = run.architecture.name if run.architecture else "A network"
    return f"{name} on {tests.source.name}"


def _head(run, tests):
    title = sections.html.escape(_title(run, tests))
    text = f"<h1>{title}</h1>" + paragraph(str(run.directory), "soft")
    for note in tests.notes:
        text += f'<div class="finding">{paragraph(note)}</div>'
    return text


def _kernels(model):
    try:
        images = kernel_mosaics(model)
        specialization = color_specialization(model, permutations=99)
        shares = [
            f"column {number}: share of color {mean:.2f} on average"
            for number, mean in enumerate(specialization.means)
        ]
        if len(shares) == 1:
            shares = [shares[0].removeprefix("column 0: ")]
    except ValueError as error:
        return paragraph(f"They cannot be shown: {error}")
    return sections.kernels(images, shares)


def _predictions(model, found, tests, count):
    for heading, indices in (
        ("Worst answers", found.worst(count)),
        ("Best answers", found.best(count)),
    ):
        images = tests.images(indices)
        maps = _maps(model, images, found.classes[indices])
        names = [tests.name(index) for index in indices]
        text = (
            "The most confident wrong answers"
            if heading == "Worst answers"
            else "The most confident right answers"
        )
        yield (
            heading,
            paragraph(
                f"{text}, each beside what spoke for it: Grad-CAM of the "
                "answer, red where most did. The map is that of the last "
                "convolution, stretched over the image.",
                "soft",
            )
            + sections.predictions(found, indices, images, maps, names),
        )


def _maps(model, images, classes):
    """What spoke for each answer; `None` where no method can tell."""
    if not len(images):
        return []
    try:
        maps = grad_cam(model, images.astype("float32"), unit=classes)
    except ValueError:
        return [None] * len(images)
    return [overlaid(i, m) for i, m in zip(images, maps, strict=True)]


def _layers(model, tests):
    some = tests.spread(JUDGED)
    text = f"Over {len(some)} {tests.split} images, evenly spread."
    return paragraph(text, "soft") + sections.layers(
        layer_statistics(model, np.asarray(some, "float32"))
    )
