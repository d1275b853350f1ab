import multiprocessing
import os
import pathlib
import shutil
import threading
import uuid

import pytest
import tensorflow as tf

from keras_alexnet.data import block_copies
from keras_alexnet.data.block_copies import BlockCopies

CONTENT = bytes(range(256)) * 40
NAME = "a.tfrecord-00000-of-00002"


def upload(path, content):
    # To write to a file in memory that exists is to append to it.
    if tf.io.gfile.exists(path):
        tf.io.gfile.remove(path)
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(content)


@pytest.fixture
def remote():
    """Two files of records, one of them empty, and a small file."""
    folder = f"ram://{uuid.uuid4().hex}/set"
    upload(f"{folder}/{NAME}", CONTENT)
    upload(f"{folder}/a.tfrecord-00001-of-00002", b"")
    upload(f"{folder}/dataset_info.json", b"{}")
    return folder


@pytest.fixture
def requests(monkeypatch):
    """Numbers of the blocks that are fetched, as (name, number)."""
    found = []
    fetch = BlockCopies._fetch

    def counting(self, name, number):
        found.append((name, number))
        fetch(self, name, number)

    monkeypatch.setattr(BlockCopies, "_fetch", counting)
    return found


def read(copies, start, length):
    path = os.path.join(copies.folder, NAME)
    copies.fetch(path, start, length)
    with open(path, "rb") as file:
        file.seek(start)
        return file.read(length)


def test_only_blocks_that_are_asked_for_are_copied(remote, tmp_path, requests):
    copies = BlockCopies(remote, tmp_path, block=1000)
    folder = pathlib.Path(copies.folder)
    assert (folder / "dataset_info.json").read_bytes() == b"{}"
    assert (folder / NAME).stat().st_size == len(CONTENT)
    assert requests == []
    for start, length in ((2500, 10), (2990, 20), (999, 1), (10_000, 240)):
        assert read(copies, start, length) == CONTENT[start : start + length]
    assert [number for _, number in requests] == [2, 3, 0, 10]
    # Another time, or another process, has them.
    again = BlockCopies(remote, tmp_path, block=1000)
    assert read(again, 2000, 2000) == CONTENT[2000:4000]
    assert len(requests) == 4
    assert read(copies, 0, len(CONTENT)) == CONTENT
    # Copies of the same blocks see it.
    assert read(again, 5000, 100) == CONTENT[5000:5100]
    assert len(requests) == 11


def test_threads_ask_for_a_block_once(remote, tmp_path, requests):
    copies = BlockCopies(remote, tmp_path, block=500)
    found = []

    def work():
        found.append(read(copies, 0, len(CONTENT)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [CONTENT] * 8
    assert len(requests) == len(set(requests)) == 21


def test_files_that_change_are_copied_anew(remote, tmp_path, requests):
    copies = BlockCopies(remote, tmp_path, block=1000)
    read(copies, 0, len(CONTENT))
    version = copies.version(NAME)
    # Files in memory have no time.
    upload(f"{remote}/{NAME}", CONTENT[:0:-1])
    again = BlockCopies(remote, tmp_path, block=1000)
    assert again.version(NAME) != version
    assert read(again, 0, 100) == CONTENT[::-1][:100]
    assert len(requests) == 12
    assert not os.path.exists(copies.folder)


def test_a_file_that_becomes_shorter_meanwhile(remote, tmp_path):
    copies = BlockCopies(remote, tmp_path, block=1000)
    upload(f"{remote}/{NAME}", CONTENT[:2500])
    assert read(copies, 0, 2000) == CONTENT[:2000]
    with pytest.raises(OSError, match="has changed: 500 of 1000 bytes .* 2000"):
        read(copies, 2000, 1)
    # The block is not taken for one that is there.
    upload(f"{remote}/{NAME}", CONTENT)
    assert read(copies, 2000, 1) == CONTENT[2000:2001]


def test_what_a_killed_process_began_is_removed(remote, tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def rename(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "rename", rename)
        with pytest.raises(Killed):
            BlockCopies(remote, tmp_path)
    copies = BlockCopies(remote, tmp_path)
    assert read(copies, 0, 10) == CONTENT[:10]
    (place,) = tmp_path.iterdir()
    assert {path.name for path in place.iterdir()} == {
        "lock",
        os.path.basename(copies.folder),
    }


def test_a_disk_without_room(remote, tmp_path, monkeypatch):
    copies = BlockCopies(remote, tmp_path, block=1000)
    read(copies, 0, 9000)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(
        block_copies.shutil, "disk_usage", lambda _: usage._replace(free=1240)
    )
    # What is there needs no room.
    BlockCopies(remote, tmp_path, block=1000)
    with pytest.raises(OSError, match="have room for 0.0 GB.*`KERAS_HOME`"):
        BlockCopies(remote, tmp_path / "other", block=1000)


def test_no_such_folder(tmp_path):
    with pytest.raises(ValueError, match="There is no folder ram://nowhere"):
        BlockCopies("ram://nowhere/at/all", tmp_path)


def test_a_path_that_pathlib_has_changed(remote, tmp_path):
    copies = BlockCopies(pathlib.PurePosixPath(remote), tmp_path)
    assert read(copies, 7, 9) == CONTENT[7:16]


def fetch_all(folder, target, block):
    copies = BlockCopies(folder, target, block=block)
    copies.fetch(os.path.join(copies.folder, NAME), 0, len(CONTENT))


def test_processes_share_the_copies(tmp_path):
    """TensorFlow's `file://` stands for a bucket that several can see."""
    folder = tmp_path / "bucket" / "set"
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(CONTENT)
    remote = f"file://{folder}"
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=fetch_all, args=(remote, tmp_path / "own", 64))
        for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    copies = BlockCopies(remote, tmp_path / "own", block=64)
    (folder / NAME).unlink()
    # All of it is here.
    assert read(copies, 0, len(CONTENT)) == CONTENT
