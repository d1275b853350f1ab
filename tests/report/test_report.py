import csv
import html
import html.parser
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("the pipeline is TensorFlow's", allow_module_level=True)

from chromium import browse  # noqa: E402
from small_networks import small_inception  # noqa: E402

from keras_alexnet import train  # noqa: E402
from keras_alexnet.data import evaluation_data  # noqa: E402
from keras_alexnet.data import load_source  # noqa: E402
from keras_alexnet.evaluation import answers  # noqa: E402
from keras_alexnet.evaluation import evaluate  # noqa: E402
from keras_alexnet.fields import settings_of  # noqa: E402
from keras_alexnet.models import PAPER  # noqa: E402
from keras_alexnet.models import with_width  # noqa: E402
from keras_alexnet.report import read_run  # noqa: E402
from keras_alexnet.report import write_report  # noqa: E402
from keras_alexnet.report.images import TestImages  # noqa: E402
from keras_alexnet.report.sections import configuration  # noqa: E402
from keras_alexnet.training import RECIPES  # noqa: E402

ROOT = pathlib.Path(__file__).parents[2]

HEADINGS = [
    "Result",
    "Configuration",
    "Before the first step",
    "Curves",
    "Errors per class",
    "Confusions",
    "Calibration",
    "Kernels of the first layer",
    "Worst answers",
    "Best answers",
    "Layers",
    "Speed",
]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of image files: 24 training and 12 test images a digit."""
    datasets = pytest.importorskip("sklearn.datasets")
    image = pytest.importorskip("PIL.Image")
    folder = tmp_path_factory.mktemp("photos")
    digits = datasets.load_digits()
    for label in range(10):
        chosen = np.flatnonzero(digits.target == label)[:36]
        for place, number in enumerate(chosen):
            split = "train" if place < 24 else "test"
            path = folder / split / f"<{label}>" / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = (digits.images[number] * 255 / 16).astype("uint8")
            image.fromarray(pixels).resize((80, 72)).save(path)
    return folder


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    """Two epochs; tests leave the directory as it is."""
    directory = tmp_path_factory.mktemp("run") / "digits & more"
    train(
        photos,
        with_width(PAPER, 0.1),
        directory=directory,
        input_size=64,
        epochs=2,
        batch_size=48,
        flip=False,
        verbose=0,
    )
    return directory


@pytest.fixture(scope="module")
def page(run, tmp_path_factory):
    return write_report(run, tmp_path_factory.mktemp("page") / "page.html")


class Elements(html.parser.HTMLParser):
    """Names and attributes of all elements; the text of headings."""

    def __init__(self, text):
        super().__init__()
        self.found, self.headings, self._open = [], [], []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in ("meta", "link", "img", "br"):
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open[-1:] == ["h2"]:
            self.headings.append(data)


def test_what_is_on_the_page(run, page, photos):
    text = page.read_text()
    elements = Elements(text)
    assert elements.headings == HEADINGS
    images = [e for tag, e in elements.found if tag == "img"]
    assert all(image["src"].startswith("data:image/") for image in images)
    assert all(image["alt"] for image in images)
    source = load_source(photos)
    data = evaluation_data(source, "test", 64)
    errors = evaluate(read_run(run).model(), data, "center")
    wrong = int(errors.top1_wrong.sum())
    # Kernels of two columns; ten wrong and ten right answers, each twice.
    assert len(images) == 2 + 2 * (min(10, wrong) + min(10, 120 - wrong))
    low, high = errors.top1_interval
    assert f"<b>{100 * errors.top1_error:.1f} %</b>" in text
    assert f"top-1 error ({100 * low:.1f} to {100 * high:.1f} %)" in text
    assert "<td>(&#x27;he&#x27;, &#x27;he&#x27;" in text
    assert "<td>pixel_std</td><td>(1.0, 1.0, 1.0)</td>" in text
    assert "<td>schedule</td><td>plateau</td><td>cosine</td>" in text
    assert "digits &amp; more" in text and "digits & more" not in text
    assert "&lt;3&gt;" in text and "<3>" not in text


def test_the_matrix_and_the_curves_hold_the_numbers(run, page, photos):
    text = page.read_text()
    found = answers(
        read_run(run).model(),
        evaluation_data(load_source(photos), "test", 64),
    )
    rows = text[text.index('id="confusion-matrix"') :].split("</table>")[0]
    cells = re.findall(r"rgba\([^)]*\)\">(\d*)</td>", rows)
    matrix = np.array([int(cell or 0) for cell in cells]).reshape(10, 10)
    assert np.trace(matrix) == (found.classes == found.labels).sum()
    assert matrix.sum() == 120
    with open(run / "history.csv", newline="") as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert read_run(run).history["loss"] == losses
    # Two epochs of the loss, the top-1 and the top-5 error, each in training
    # and in validation.
    assert text.count("<circle") == 2 * 3 * 2


def test_nothing_is_requested(page):
    """No address, no script, no style or font from elsewhere."""
    elements = Elements(page.read_text())
    tags = {tag for tag, _ in elements.found}
    assert not tags & {"script", "iframe", "object", "embed", "form", "base"}
    for _, attributes in elements.found:
        for name in ("src", "href", "srcset", "action"):
            assert attributes.get(name, "data:").startswith("data:")
    style = page.read_text().split("</style>")[0]
    assert "url(" not in style and "@import" not in style


@pytest.mark.parametrize("width", [1200, 375])
def test_in_a_browser(page, tmp_path, width):
    """No error, and nothing wider than a window or a phone."""
    # Chromium's own windows are no narrower than 500 pixels.
    probe = tmp_path / "probe.html"
    probe.write_text(
        f"""<!DOCTYPE html><link rel="icon" href="data:,"><body>
        <iframe style="width: {width}px; height: 800px"
          srcdoc="{html.escape(page.read_text())}"></iframe>
        <script>onload = () => {{
          const shown = document.querySelector("iframe").contentDocument;
          const images = [...shown.images].filter(i => i.naturalWidth > 0);
          document.body.dataset.shown = [images.length,
            shown.documentElement.scrollWidth, shown.querySelectorAll(
            "h2, svg.chart, #confusion-matrix td").length].join(" ");
        }}</script>"""
    )
    shown, console = browse(
        probe.as_uri(), tmp_path, "--window-size=1300,900", "--dump-dom"
    )
    assert console == []
    images, scrolled, parts = re.search(
        r'data-shown="(\d+) (\d+) (\d+)"', shown
    ).groups()
    assert int(images) == page.read_text().count("<img ") > 4
    assert int(scrolled) <= width
    assert int(parts) == len(HEADINGS) + 3 + 100


def copied(run, tmp_path):
    return pathlib.Path(shutil.copytree(run, tmp_path / "copy"))


@pytest.mark.parametrize(
    "damage, match",
    [
        (lambda d: (d / "alexnet.keras").unlink(), "has not ended"),
        (
            lambda d: (d / "alexnet.keras").write_bytes(b"PK no more"),
            "alexnet.keras cannot be read",
        ),
        (lambda d: (d / "settings.json").unlink(), "has no settings.json. It"),
        (
            lambda d: (d / "settings.json").write_text("{"),
            "settings.json is damaged",
        ),
        (lambda d: (d / "settings.json").write_text("[]"), "a list, not a"),
        (
            lambda d: (d / "settings.json").write_text("{}"),
            "does not describe a training",
        ),
        (lambda d: (d / "history.csv").write_text(""), "at least one epoch"),
        (
            lambda d: (d / "history.csv").write_text("epoch,loss\n0,cat\n"),
            "history.csv is damaged",
        ),
        (
            lambda d: (d / "preflight.json").write_text("?"),
            "preflight.json is damaged",
        ),
    ],
)
def test_damaged_directories(damage, match, run, tmp_path):
    directory = copied(run, tmp_path)
    damage(directory)
    with pytest.raises(ValueError, match=match):
        write_report(directory)
    assert not (directory / "report.html").exists()


def test_other_directories(tmp_path):
    with pytest.raises(ValueError, match="which is no folder"):
        read_run(tmp_path / "absent")
    with pytest.raises(ValueError, match="It has: nothing"):
        read_run(tmp_path)
    (tmp_path / "cat.jpg").touch()
    with pytest.raises(ValueError, match=r"not what `keras.*It has: cat.jpg"):
        read_run(tmp_path)


def changed(run, tmp_path, **data):
    directory = copied(run, tmp_path)
    settings = json.loads((directory / "settings.json").read_text())
    settings["data"].update(data)
    (directory / "settings.json").write_text(json.dumps(settings))
    return directory


def test_images_that_are_gone(run, photos, tmp_path):
    directory = changed(run, tmp_path, source="no/such/photos")
    with pytest.raises(ValueError, match="no/such/photos.*cannot be opened"):
        write_report(directory)
    # They can be given.
    path = write_report(directory, source=load_source(photos), count=0)
    assert "not known to be those" not in path.read_text()


def test_images_that_are_others(run, tmp_path):
    directory = changed(run, tmp_path, fingerprint="of other files")
    path = write_report(directory, count=0)
    assert "not known to be those of the training" in path.read_text()
    three = np.zeros((9, 8, 8), "uint8"), np.arange(9) % 3
    with pytest.raises(ValueError, match="10 classes, arrays has 3"):
        write_report(directory, source=load_source(three))


def test_the_page_names_the_split(run):
    path = run.parent / "train.html"
    text = write_report(run, path, split="train", count=0).read_text()
    assert "<b>240</b>train images" in text
    assert "Over 64 train images" in text
    assert "</b>test images" not in text
    assert "not known to be those" not in text


def images_of(directory, source=None, split="test", on_error="raise"):
    found = read_run(directory)
    return TestImages(found, found.model(), source, None, split, on_error)


@pytest.mark.parametrize("seed, own", [(0, 0), (3, 3), (3, 0)])
def test_images_that_were_held_out(run, photos, tmp_path, seed, own):
    """Also where `train` had another seed than the `Source` it was given."""
    held = load_source(photos, holdout=0.1, seed=own)
    directory = changed(run, tmp_path, fingerprint=held.fingerprint, seed=seed)
    found = images_of(directory, split="holdout")
    assert found.notes == []
    assert found.source.counts == held.counts
    assert found.source.counts["holdout"] == 20
    names = held.split("holdout").names()
    assert [found.name(index) for index in range(20)] == names
    with pytest.raises(ValueError, match=r"`split` must be .*'train', 'test'"):
        images_of(run, split="holdout")


def test_images_too_few_to_hold_any_out(run, photos, tmp_path):
    few = tmp_path / "few"
    for split in ("train", "test"):
        for folder in (photos / split).iterdir():
            place = few / split / folder.name
            place.mkdir(parents=True)
            for path in sorted(folder.iterdir())[:4]:
                shutil.copy(path, place)
    (note,) = images_of(run, few).notes
    assert "not known to be those of the training" in note


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_damaged_file_was_left_out(run, photos, tmp_path, split):
    folder = pathlib.Path(shutil.copytree(photos, tmp_path / "photos"))
    (folder / split / "<3>" / "bad.jpg").write_bytes(b"no image")
    trained = load_source(folder, on_error="skip")
    directory = changed(
        run, tmp_path, source=str(folder), fingerprint=trained.fingerprint
    )
    with pytest.raises(ValueError, match=r"image .*bad.jpg.*--on_error=skip$"):
        write_report(directory, count=0, split=split)
    found = images_of(directory, split=split, on_error="skip")
    assert found.notes == [] and found.source.counts == trained.counts
    (note,) = images_of(directory, split=split).notes
    assert "damaged files were left out" in note


@pytest.mark.parametrize("schedule", ["plateau", "constant"])
def test_epochs_that_were_asked_for_are_not_invented(run, tmp_path, schedule):
    directory = copied(run, tmp_path)
    settings = json.loads((directory / "settings.json").read_text())
    settings["recipe"]["schedule"] = schedule
    del settings["recipe"]["epochs"]
    (directory / "settings.json").write_text(json.dumps(settings))
    found = read_run(directory)
    assert found.recipe.epochs == 2
    text = configuration(found)
    assert "<td>epochs</td><td>90</td><td>2</td>" in text
    assert "The epochs of the recipe are those that were trained" in text
    assert "those that were trained" not in configuration(read_run(run))


def test_the_configuration_of_a_googlenet(run, tmp_path):
    directory = copied(run, tmp_path)
    settings = json.loads((directory / "settings.json").read_text())
    settings["architecture"] = settings_of(small_inception())
    settings["recipe"] = settings_of(RECIPES["googlenet"])
    (directory / "settings.json").write_text(json.dumps(settings))
    found = read_run(directory)
    assert found.architecture == small_inception()
    text = configuration(found)
    assert "<td>stem</td><td>(64, 64, 192)</td><td>(4, 4, 8)</td>" in text
    assert "googlenet&#x27;; it differs from Caffe&#x27;s in" in text
    assert "Recipe: Caffe&#x27;s in every field." in text


@pytest.mark.slow
def test_the_page_of_a_googlenet(tmp_path):
    pytest.importorskip("sklearn.datasets")
    train(
        "digits",
        small_inception(),
        "googlenet",
        tmp_path,
        epochs=1,
        preflight=False,
        verbose=0,
    )
    elements = Elements(write_report(tmp_path, count=1).read_text())
    assert elements.headings == HEADINGS


@pytest.mark.parametrize("count", [-1, 2.5])
def test_wrong_count(run, count):
    with pytest.raises(ValueError, match=f"`count` must be.*count={count}"):
        write_report(run, count=count)


def test_arrays_must_be_given(run, tmp_path):
    with pytest.raises(ValueError, match="Give them as `source`"):
        write_report(changed(run, tmp_path, source="arrays"))


@pytest.mark.slow
def test_the_example(run, tmp_path):
    directory = copied(run, tmp_path)

    def example(*arguments):
        return subprocess.run(
            [sys.executable, ROOT / "examples" / "report.py", *arguments],
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    done = example(str(directory), "--count=2")
    assert done.returncode == 0, done.stderr
    assert f"Saved {directory / 'report.html'}" in done.stdout
    (directory / "alexnet.keras").unlink()
    done = example(str(directory))
    assert done.returncode == 1
    assert "has not ended" in done.stderr and "Traceback" not in done.stderr
