import json
import os
import subprocess
import sys

import pytest

from keras_alexnet.training.run_directory import run_directory

SETTINGS = {"recipe": {"learning_rate": 0.01, "crop": ("a", 1)}, "seed": 0}


def enter(directory, **changes):
    with run_directory(directory, {**SETTINGS, **changes}) as path:
        return path


def test_it_is_made_and_opened_again(tmp_path):
    directory = tmp_path / "deep" / "run"
    assert enter(directory) == directory
    assert enter(directory) == directory
    assert json.loads((directory / "settings.json").read_text())["seed"] == 0


def test_other_settings_are_refused_with_their_differences(tmp_path):
    enter(tmp_path)
    with pytest.raises(ValueError, match="of another training") as caught:
        enter(tmp_path, recipe={"learning_rate": 100.0, "crop": ("a", 1)})
    assert "recipe.learning_rate: 0.01 there, 100.0 asked for" in str(
        caught.value
    )
    assert "crop" not in str(caught.value) and "seed" not in str(caught.value)
    with pytest.raises(ValueError, match="weights: the default there"):
        enter(tmp_path, weights="a")
    enter(tmp_path)


def test_a_field_that_was_added_later_has_its_default(tmp_path):
    old, new = {"rate": 0.1}, {"rate": 0.1, "smoothing": 0.2}
    for name, there, asked, line in (
        ("old", old, new, "recipe.smoothing: the default there, 0.2 asked for"),
        ("new", new, old, "recipe.smoothing: 0.2 there, the default asked for"),
    ):
        enter(tmp_path / name, recipe=there)
        with pytest.raises(ValueError, match=line):
            enter(tmp_path / name, recipe=asked)


def test_what_something_else_has_written_is_refused(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss\n")
    with pytest.raises(ValueError, match="holds history.csv but no settings"):
        enter(tmp_path)


def test_damaged_settings(tmp_path):
    enter(tmp_path)
    (tmp_path / "settings.json").write_text("{")
    with pytest.raises(ValueError, match="settings.json is damaged"):
        enter(tmp_path)


def test_one_process_at_a_time(tmp_path):
    code = (
        "import sys, time\n"
        "from keras_alexnet.training.run_directory import run_directory\n"
        f"with run_directory(sys.argv[1], {SETTINGS!r}):\n"
        "    print('in', flush=True)\n"
        "    time.sleep(100)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "in\n"
        with pytest.raises(RuntimeError, match="Another process is training"):
            enter(tmp_path)
    finally:
        process.kill()
        process.wait()
    # The lock of a killed process is gone.
    enter(tmp_path)


def test_a_file_in_its_place(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(PermissionError, match="`directory` must be a folder"):
        enter(tmp_path / "run")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="can be written to"):
        enter(tmp_path)
