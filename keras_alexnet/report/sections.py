"""The parts of a report, each as HTML."""

import dataclasses
import html

import numpy as np

from keras_alexnet.evaluation.calibration import calibration
from keras_alexnet.evaluation.calibration import confusion_matrix
from keras_alexnet.models.inception import GOOGLENET
from keras_alexnet.models.inception import InceptionArchitecture
from keras_alexnet.models.presets import PAPER
from keras_alexnet.report.charts import line_chart
from keras_alexnet.report.charts import reliability_diagram
from keras_alexnet.report.page import paragraph
from keras_alexnet.report.page import table
from keras_alexnet.report.pictures import data_uri
from keras_alexnet.training.family_recipes import GOOGLENET_RECIPE
from keras_alexnet.training.presets import PAPER_RECIPE

# Classes whose confusions still fit a table on a page.
MOST_IN_MATRIX = 20
# Rows of a table before the rest is folded away.
MOST_ROWS = 30


def summary(run, found, model, split):
    """The figures that matter most."""
    errors = found.errors()
    figures = [_error(errors.top1_error, errors.top1_interval, "top-1 error")]
    if errors.top5_error is not None:
        figures.append(
            _error(errors.top5_error, errors.top5_interval, "top-5 error")
        )
    figures.append((f"{errors.n:,}", f"{split} images"))
    figures.append((f"{len(found.class_names):,}", "classes"))
    figures.append((f"{model.count_params():,}", "parameters"))
    figures.append((str(len(run.history["loss"])), "epochs"))
    boxes = "".join(
        f"<div><b>{html.escape(value)}</b>{html.escape(name)}</div>"
        for value, name in figures
    )
    views = (
        "central view" if found.views == "center" else f"{found.views} views"
    )
    return f'<div class="numbers">{boxes}</div>' + paragraph(
        f"Errors of the {views}, with 95 % intervals.", "soft"
    )


def _error(value, interval, name):
    low, high = interval
    return (
        f"{100 * value:.1f} %",
        f"{name} ({100 * low:.1f} to {100 * high:.1f} %)",
    )


def configuration(run):
    """What was asked for, and how it differs from where it was published."""
    parts = []
    whose, network, recipe = "the paper's", PAPER, PAPER_RECIPE
    if isinstance(run.architecture, InceptionArchitecture):
        whose, network, recipe = "Caffe's", GOOGLENET, GOOGLENET_RECIPE
    for title, published, own in (
        ("Network", network, run.architecture),
        ("Recipe", recipe, run.recipe),
    ):
        if own is None:
            parts.append(paragraph(f"{title}: not one of this package."))
            continue
        rows = [
            (
                field.name,
                _shown(getattr(published, field.name)),
                _shown(getattr(own, field.name)),
            )
            for field in dataclasses.fields(own)
            if field.name != "name"
            and getattr(published, field.name) != getattr(own, field.name)
        ]
        if rows:
            parts.append(
                paragraph(f"{title} {own.name!r}; it differs from {whose} in")
            )
            parts.append(table([("field", whose, "here"), *rows], "<"))
        else:
            parts.append(paragraph(f"{title}: {whose} in every field."))
    if "epochs" not in run.settings["recipe"]:
        parts.append(
            paragraph(
                "The epochs of the recipe are those that were trained: with "
                f"the schedule {run.recipe.schedule!r} the folder does not "
                "tell how many were asked for.",
                "soft",
            )
        )
    data = dict(run.settings.get("data") or {})
    others = {
        name: value
        for name, value in run.settings.items()
        if name not in ("architecture", "recipe", "data")
    }
    rows = [("setting", "value"), *(data | others).items()]
    return "".join(parts) + (
        f"<details><summary>Data and other settings</summary>"
        f"{table(rows, '<')}</details>"
    )


def _shown(value):
    """A field without the digits that only rounding has made."""
    return f"{value:.6g}" if isinstance(value, float) else value


def preflight(run):
    """What was found before the first step."""
    if run.preflight is None:
        return paragraph("There was no preflight.", "soft")
    findings = run.preflight["findings"]
    if not findings:
        facts = "; ".join(run.preflight["facts"])
        return paragraph(f"Nothing suspicious ({facts}).")
    return "".join(
        f'<div class="finding"><p>{html.escape(finding["what"])}</p>'
        f"{paragraph('What to do: ' + finding['remedy'], 'soft')}</div>"
        for finding in findings
    )


def curves(run):
    """Loss and error against epochs."""
    history = run.history
    charts = [
        line_chart(
            _lines(history, {"loss": "loss"}, 1),
            "epoch",
            "cross-entropy loss",
            "Loss against epochs",
        )
    ]
    errors = _lines(
        history, {"top1_error": "top-1", "top5_error": "top-5"}, 100
    )
    if errors:
        charts.append(
            line_chart(errors, "epoch", "error (%)", "Errors against epochs")
        )
    boxes = "".join(f"<div>{chart}</div>" for chart in charts)
    return f'<div class="charts">{boxes}</div>' + paragraph(
        "Training errors are means over the epoch, while weights change, with "
        "the recipe's augmentation and the network's dropout. Validation "
        "errors are those at its end.",
        "soft",
    )


def _lines(history, names, scale):
    return [
        (
            f"{text}, {kind}",
            [scale * value for value in history[prefix + name]],
            f"{color} {style}",
        )
        for color, (name, text) in zip("ab", names.items(), strict=False)
        for prefix, style, kind in (
            ("", "dashed", "training"),
            ("val_", "", "validation"),
        )
        if prefix + name in history
    ]


def classes(found):
    """Errors per class with their intervals, the worst first."""
    rows = sorted(
        found.errors().per_class(), key=lambda row: -row["top1_error"]
    )
    cells = [("class", "n", "top-1 %", "95 % interval")]
    for row in rows:
        low, high = row["top1_interval"]
        cells.append(
            (
                row["name"],
                row["n"],
                f"{100 * row['top1_error']:.1f}",
                f"{100 * low:.1f} to {100 * high:.1f}",
            )
        )
    shown = table(cells[: MOST_ROWS + 1], "<>")
    if len(cells) > MOST_ROWS + 1:
        rest = table([cells[0], *cells[MOST_ROWS + 1 :]], "<>")
        shown += (
            f"<details><summary>The other {len(cells) - MOST_ROWS - 1:,} "
            f"classes</summary>{rest}</details>"
        )
    return shown


def confusions(found):
    """What is taken for what."""
    names = found.class_names
    matrix = confusion_matrix(found.labels, found.classes, len(names))
    parts = []
    if len(names) <= MOST_IN_MATRIX:
        parts.append(_matrix(matrix, names))
    wrong = matrix * (1 - np.eye(len(names), dtype="int64"))
    rows = [
        (names[label], names[answer], wrong[label, answer])
        for label, answer in zip(
            *np.unravel_index(
                np.argsort(-wrong, axis=None, kind="stable")[:10], wrong.shape
            ),
            strict=True,
        )
        if wrong[label, answer]
    ]
    if rows:
        parts.append(paragraph("The most frequent confusions:"))
        parts.append(table([("class", "taken for", "images"), *rows], "<<>"))
    else:
        parts.append(paragraph("No image was taken for another class."))
    return "".join(parts)


def _matrix(matrix, names):
    """Rows are correct classes, columns answers; shades are shares of a row."""
    head = "".join(f"<th>{html.escape(str(name))}</th>" for name in names)
    rows = []
    for name, row in zip(names, matrix, strict=True):
        total = max(int(row.sum()), 1)
        cells = "".join(
            f'<td style="background:rgba(47,95,179,{0.75 * n / total:.2f})">'
            f"{n or ''}</td>"
            for n in row
        )
        rows.append(f"<tr><th>{html.escape(str(name))}</th>{cells}</tr>")
    return (
        paragraph("A row per correct class, a column per answer.", "soft")
        + f'<div class="wide"><table class="matrix" id="confusion-matrix">'
        f"<tr><th></th>{head}</tr>{''.join(rows)}</table></div>"
    )


def calibrated(found):
    """Whether the network is right as often as it says."""
    result = calibration(found.probabilities, found.labels)
    return (
        f'<div class="charts"><div>{reliability_diagram(result)}</div></div>'
        + paragraph(
            f"{str(result)[0].upper()}{str(result)[1:]}. A bar is the share "
            "of right answers among those of one confidence, with its 95 % "
            "interval; on the dashed line it is what the network says.",
            "soft",
        )
    )


def kernels(images, share):
    """The kernels of the first layer, an image per column."""
    blocks = "".join(
        f'<figure><img src="{data_uri(image)}" alt="kernels of column '
        f'{number}"><figcaption>{html.escape(text)}</figcaption></figure>'
        for number, (image, text) in enumerate(zip(images, share, strict=True))
    )
    return f'<div class="kernels">{blocks}</div>' + paragraph(
        "Each kernel is scaled by its own largest weight; grey is zero.", "soft"
    )


def predictions(found, indices, images, maps, names):
    """Images beside what the network looked at, with both labels."""
    figures = []
    for index, image, seen, name in zip(
        indices, images, maps, names, strict=True
    ):
        guess, label = found.classes[index], found.labels[index]
        text = (
            f"{found.class_names[guess]} "
            f"({100 * found.confidences[index]:.0f} %)"
        )
        if guess != label:
            own = 100 * found.probabilities[index, label]
            text += f", correct: {found.class_names[label]} ({own:.0f} %)"
        pair = "".join(
            f'<img src="{data_uri(part, quality=85)}" alt="{kind}">'
            for part, kind in ((image, "image"), (seen, "Grad-CAM"))
            if part is not None
        )
        figures.append(
            f'<figure><div class="pair">{pair}</div><figcaption>'
            f"{html.escape(text)}<br>{html.escape(name)}</figcaption></figure>"
        )
    if not figures:
        return paragraph("There is none.")
    return f'<div class="images">{"".join(figures)}</div>'


def layers(statistics):
    """What layers give, and which ReLUs never fire."""
    rows = [
        (
            name,
            f"{layer.mean:.3g}",
            f"{layer.std:.3g}",
            f"{layer.largest:.3g}",
            f"{100 * layer.dead_units:.1f}",
            f"{len(layer.dead_channels)} of {layer.channels}",
        )
        for name, layer in statistics.items()
        if layer.dead_units is not None
    ]
    if not rows:
        return paragraph("The network has no ReLU.")
    head = ("layer", "mean", "std", "largest", "never fire %", "dead maps")
    return table([head, *rows], "<>")


def speed(measured, run):
    """How fast the network answers, and how long it was trained."""
    rows = [("measured", "value"), *measured.items()]
    if run.seconds:
        rows.append(("training", f"{run.seconds / 60:.1f} minutes"))
    return table(rows, "<")
