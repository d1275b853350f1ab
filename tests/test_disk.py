import os
import pathlib
import stat

import pytest

from keras_alexnet.disk import cache_folder
from keras_alexnet.disk import is_remote
from keras_alexnet.disk import path_string
from keras_alexnet.disk import replacing


@pytest.mark.parametrize("path", ["gs://bucket/a", "hdfs://host:1/a"])
def test_a_remote_path_keeps_its_slashes(path):
    collapsed = pathlib.PurePosixPath(path)
    assert "://" not in str(collapsed)
    for given in (path, collapsed):
        assert is_remote(given)
        assert path_string(given) == path


@pytest.mark.parametrize("path", ["a", "/a/b:/c", "C:/photos", "a/gs://b", ""])
def test_a_path_of_this_machine(path):
    assert not is_remote(path)
    assert path_string(path) == path


def write(path, text):
    with replacing(path) as temporary:
        pathlib.Path(temporary).write_text(text)
        return temporary


def test_a_file_is_replaced_and_nothing_else_left(tmp_path):
    path = tmp_path / "deep" / "a.json"
    for text in ("first", "second"):
        write(path, text)
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


def test_what_fails_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "a.json"
    write(path, "first")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        pathlib.Path(temporary).write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_do_not_share_a_name(tmp_path):
    path = tmp_path / "a.json"
    with replacing(path) as one, replacing(path) as other:
        assert one != other
        assert pathlib.Path(one).suffix == ".json"
    assert len({write(path, "") for _ in range(20)}) == 20


def test_others_may_read_it(tmp_path):
    """A folder of caches that several people share."""
    write(tmp_path / "a", "")
    mask = os.umask(0)
    os.umask(mask)
    mode = stat.S_IMODE((tmp_path / "a").stat().st_mode)
    assert mode == 0o666 & ~mask


def test_a_planted_name_is_not_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr("secrets.token_hex", lambda count: "guessed")
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / ".guessed-a").symlink_to(victim)
    with pytest.raises(FileExistsError):
        write(tmp_path / "a", "bad")
    assert victim.read_text() == "precious"


def test_caches_are_in_the_folder_of_keras(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert cache_folder("models") == tmp_path / "models"
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", "/home/ada")
    assert str(cache_folder("models")) == "/home/ada/.keras/models"
