"""The rules of the house: who imports whom, and what is imported when."""

import ast
import pathlib
import subprocess
import sys

import pytest

import keras_alexnet

ROOT = pathlib.Path(keras_alexnet.__file__).parent

ALLOWED = {
    "autotuning": {"tensorflow"},
    "csv_table": set(),
    "disk": set(),
    "fields": {"numpy"},
    "parquet": set(),
    "text_table": set(),
    "undivided": {"keras", "distribution"},
    "layers": {"keras", "numpy"},
    "columns": {"keras", "numpy", "layers"},
    "weights": {"numpy", "keras", "disk"},
    "models": {
        "keras",
        "numpy",
        "h5py",
        "disk",
        "layers",
        "columns",
        "weights",
        "fields",
    },
    "distribution": {
        "keras",
        "numpy",
        "tensorflow",
        "autotuning",
        "layers",
        "columns",
        "models",
        "text_table",
    },
    "data": {
        "filelock",
        "keras",
        "numpy",
        "tensorflow",
        "autotuning",
        "disk",
        "layers",
    },
    "evaluation": {
        "keras",
        "numpy",
        "scipy",
        "layers",
        "models",
        "data",
        "text_table",
        "parquet",
    },
    "inspection": {"keras", "numpy", "layers", "models", "evaluation"},
    "preflight": {
        "keras",
        "numpy",
        "layers",
        "models",
        "evaluation",
        "undivided",
    },
    "training": {
        "filelock",
        "keras",
        "numpy",
        "disk",
        "layers",
        "columns",
        "models",
        "distribution",
        "data",
        "evaluation",
        "preflight",
        "weights",
        "tensorflow",
        "fields",
    },
    "studies": {
        "keras",
        "numpy",
        "disk",
        "fields",
        "models",
        "data",
        "evaluation",
        "training",
        "scipy",
        "csv_table",
        "text_table",
    },
    "retrieval": {
        "filelock",
        "keras",
        "numpy",
        "tensorflow",
        "disk",
        "layers",
        "columns",
        "data",
        "evaluation",
        "parquet",
    },
    "beam": {
        "numpy",
        "tensorflow",
        "disk",
        "models",
        "data",
        "evaluation",
        "retrieval",
        "parquet",
    },
    "tuning": {
        "keras",
        "keras_tuner",
        "numpy",
        "models",
        "training",
        "studies",
        "csv_table",
        "text_table",
    },
    "report": {
        "keras",
        "numpy",
        "tensorflow",
        "disk",
        "models",
        "undivided",
        "data",
        "evaluation",
        "inspection",
        "training",
        "visualization",
    },
    "visualization": {"keras", "numpy", "inspection", "models", "data"},
}

MODULES = sorted(
    [*ROOT.glob("*/*.py"), *(p for p in ROOT.glob("*.py") if p.stem[0] != "_")]
)


def imports(path, nested):
    """Modules imported by a file, at its top level or inside functions."""
    tree = ast.parse(path.read_text())
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and (
            (id(node) not in top) == nested
        ):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            else:
                yield node.module


def test_every_package_is_known():
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert found <= set(ALLOWED)
    assert {"layers", "models", "data", "training", "evaluation"} <= found


@pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_import_direction(path):
    package = path.stem if path.parent == ROOT else path.parent.name
    for name in imports(path, nested=False):
        first, *rest = name.split(".")
        if first == "keras_alexnet":
            assert rest, "the package root is imported"
            target = rest[0]
            assert target == package or target in ALLOWED[package], name
        elif first not in sys.stdlib_module_names:
            assert first in ALLOWED[package], name
    for name in imports(path, nested=True):
        if name.startswith("keras_alexnet"):
            target = name.split(".")[1]
            assert target == package or target in ALLOWED[package], name


def test_the_import_test_sees_a_wrong_import(tmp_path):
    wrong = tmp_path / "layers" / "wrong.py"
    wrong.parent.mkdir()
    wrong.write_text("from keras_alexnet.models import AlexNet\n")
    with pytest.raises(AssertionError, match="keras_alexnet.models"):
        test_import_direction(wrong)


EXAMPLES = sorted((ROOT.parent / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_use_what_is_exported(path):
    """What an example imports, a user can import from a package, too."""
    for nested in (False, True):
        for name in imports(path, nested):
            if name.startswith("keras_alexnet."):
                module = ROOT / name.split(".", 1)[1].replace(".", "/")
                assert module.is_dir() or module.parent == ROOT, name


PEERS = {
    "apache_beam",
    "captum",
    "cv2",
    "faiss",
    "jax",
    "onnx",
    "onnxruntime",
    "pyarrow",
    "tf2onnx",
    "torch",
}


def test_tests_are_collected_where_no_peer_is_installed():
    """Peers are imported by `pytest.importorskip`."""
    for path in sorted((ROOT.parent / "tests").glob("**/*.py")):
        for name in imports(path, nested=False):
            assert name.split(".")[0] not in PEERS, f"{path.name}: {name}"


def test_public_names_are_documented():
    for path in ROOT.glob("**/*.py"):
        for node in ast.parse(path.read_text()).body:
            public = isinstance(node, ast.FunctionDef | ast.ClassDef) and (
                not node.name.startswith("_")
            )
            if public:
                assert ast.get_docstring(node), f"{path.name}: {node.name}"


def test_import_brings_no_optional_package():
    code = (
        "import sys, keras; before = set(sys.modules);"
        "import keras_alexnet;"
        "print(*(set(sys.modules) - before))"
    )
    new = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout.split()
    assert "keras_alexnet" in new
    heavy = {
        "apache_beam",
        "tensorflow_datasets",
        "keras_tuner",
        "matplotlib",
        "scipy",
        "sklearn",
        "PIL",
        "torch",
        "safetensors",
    }
    assert not heavy & {name.split(".")[0] for name in new}
