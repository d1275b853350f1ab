"""What README and docs/ say: snippets run, flags exist, the reference is whole.

An HTML comment before a Python block says what is special about it:

    <!-- not run: it downloads 244 MB -->
    <!-- run with: epochs=20 -> epochs=1, batch_size=128 -> batch_size=8 -->

The first is only compiled. In the second each left side is replaced, once,
before it runs. The blocks of a page share their names, as a reader who types
them one after the other has them. A block of `text` is what the one before it
prints; `...` in it stands for anything.
"""

import contextlib
import dataclasses
import doctest
import io
import itertools
import pathlib
import re
import runpy
import shlex

import keras
import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

ROOT = pathlib.Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
FENCED = re.compile(
    r"(?:^<!-- (?P<comment>[^\n]*) -->\n)?"
    r"^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
# A command in a line of text, such as `train.py --epochs=4`.
INLINE = re.compile(r"`(?:python )?((?:\w+/)?\w+\.py(?: --[^`]*))`")
SCRIPTS = [
    path.relative_to(ROOT).as_posix()
    for folder in ("examples", "benchmarks")
    for path in sorted((ROOT / folder).glob("*.py"))
]
SCRIPT = re.compile(r"^(?:examples|benchmarks)/\w+\.py$")

if not (ROOT / "docs").is_dir():
    pytest.skip("the docs are not in this copy", allow_module_level=True)


@dataclasses.dataclass(frozen=True)
class Block:
    page: pathlib.Path
    line: int
    comment: str
    language: str
    text: str
    # Whether nothing but space is between it and the block before.
    follows: bool

    def __str__(self):
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def is_run(self):
        return not self.comment.startswith("not run: ")

    def executed(self):
        """The text with what the comment replaces."""
        text = self.text
        if not self.comment.startswith("run with: "):
            return text
        for change in self.comment.removeprefix("run with: ").split("; "):
            old, new = change.split(" -> ")
            assert text.count(old) == 1, f"{self}: {old!r} is not there once"
            text = text.replace(old, new)
        return text


def blocks(*languages):
    found = []
    for page in PAGES:
        text = page.read_text()
        end = 0
        for match in FENCED.finditer(text):
            follows = not text[end : match.start()].strip()
            end = match.end()
            if match["language"] in languages:
                line = text.count("\n", 0, match.start("text"))
                found.append(
                    Block(
                        page,
                        line,
                        match["comment"] or "",
                        match["language"],
                        match["text"],
                        follows,
                    )
                )
    return found


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """An empty folder to be in, with `photos` of three kinds of digits."""
    image = pytest.importorskip("PIL.Image", reason="writes pictures")
    datasets = pytest.importorskip("sklearn.datasets")
    digits = datasets.load_digits()
    for label in range(3):
        folder = tmp_path / "photos" / str(label)
        folder.mkdir(parents=True)
        for index in np.flatnonzero(digits.target == label)[:20]:
            pixels = (digits.images[index] * 255 / 16).astype("uint8")
            image.fromarray(pixels).resize((48, 48)).save(
                folder / f"{index}.png"
            )
    monkeypatch.chdir(tmp_path)


PYTHON = blocks("python", "text")


@pytest.mark.parametrize(
    "block", [b for b in PYTHON if b.language == "python"], ids=str
)
def test_snippets_compile_as_they_stand(block):
    compile(block.text, str(block), "exec")
    assert block.comment == "" or block.comment.startswith(
        ("not run: ", "run with: ")
    )


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="the pipeline is TensorFlow's",
)
@pytest.mark.parametrize(
    "page",
    sorted({b.page for b in PYTHON if b.language == "python" and b.is_run}),
    ids=lambda page: page.name,
)
def test_snippets_run_and_print_what_is_stated(page, photos):
    pytest.importorskip("keras_tuner")
    own = [block for block in PYTHON if block.page == page]
    names = {"__name__": "snippet"}
    checker = doctest.OutputChecker()
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    printed = None
    for block in own:
        if block.language == "text":
            if printed is not None and block.follows:
                assert checker.check_output(block.text, printed, options), (
                    f"{block} states\n{block.text}but it printed\n{printed}"
                )
            printed = None
        elif block.is_run:
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(block.executed(), str(block), "exec"), names)
            printed = output.getvalue()
        else:
            printed = None


def commands():
    """Each use of one of our scripts, as a list of words."""
    found = {}
    for block in blocks("bash"):
        text = _without_breaks(block.text.replace("\\\n", " "))
        for line in re.split(r"\n|&&", text):
            words = shlex.split(line, comments=True)
            places = [i for i, word in enumerate(words) if SCRIPT.match(word)]
            # `launch_local.py … -- train.py …` are two.
            for start, end in itertools.pairwise([*places, len(words)]):
                arguments = words[start:end]
                # What follows is another script's, or Beam's.
                if "--" in arguments:
                    arguments = arguments[: arguments.index("--")]
                found[" ".join(arguments)] = arguments
    for page in PAGES:
        for code in INLINE.findall(FENCED.sub("", page.read_text())):
            words = shlex.split(code)
            name = words[0].rpartition("/")[2]
            (script,) = [
                path for path in SCRIPTS if path.rpartition("/")[2] == name
            ]
            if "..." not in code:
                found[" ".join([script, *words[1:]])] = [script, *words[1:]]
    return [pytest.param(words, id=text) for text, words in found.items()]


def _without_breaks(text):
    """The text without line breaks in quotation marks."""
    return re.sub(r"'[^']*'", lambda q: q[0].replace("\n", " "), text)


@pytest.fixture
def no_flags(monkeypatch):
    """No script has defined its flags yet, nor does one leave any."""
    monkeypatch.syspath_prepend(ROOT / "examples")
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    # The scripts set them where they are not set, before TensorFlow starts.
    monkeypatch.setenv("TF_CPU_ALLOCATOR_USE_BFC", "true")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    with flagsaver.flagsaver():
        yield


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="the pipeline is TensorFlow's",
)
@pytest.mark.parametrize("words", commands())
def test_flags_of_commands_exist(words, no_flags):
    pytest.importorskip("keras_tuner")
    script, *arguments = words
    arguments = [a.replace("$DATASET", "--cache") for a in arguments]
    parser = runpy.run_path(ROOT / script, run_name="documented")
    if "FLAGS" not in parser:
        assert not arguments
        return
    left = flags.FLAGS([script, *arguments])[1:]
    assert not [word for word in left if word.startswith("-")]


PACKAGES = (
    "layers",
    "models",
    "data",
    "preflight",
    "training",
    "evaluation",
    "inspection",
    "retrieval",
    "weights",
    "columns",
    "distribution",
    "studies",
    "tuning",
    "visualization",
    "report",
    "beam",
)


@pytest.mark.parametrize("package", PACKAGES)
def test_reference_lists_all_that_is_exported(package):
    page = (ROOT / "docs" / "api" / f"{package}.md").read_text()
    listed = re.findall(r"^::: \S+\.(\w+)$", page, re.MULTILINE)
    init = ROOT / "keras_alexnet" / package / "__init__.py"
    exported = set(re.findall(r" as (\w+)$", init.read_text(), re.MULTILINE))
    assert exported - set(listed) == set()
    assert len(listed) == len(set(listed)), "something is listed twice"


LINKS = re.compile(
    r"https://(?:github\.com|raw\.githubusercontent\.com)"
    r"/keras-alexnet/keras-alexnet/(?:blob/)?main/([^)#\s]+)"
)


def test_links_to_the_repository_lead_somewhere():
    links = [link for page in PAGES for link in LINKS.findall(page.read_text())]
    assert "docs/departures.md" in links
    assert [link for link in links if not (ROOT / link).exists()] == []
