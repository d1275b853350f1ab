import pathlib
import types

from keras_alexnet.distribution import worker_folder


def test_workers_but_the_first_have_folders_of_their_own(tmp_path):
    def worker(task_id):
        return types.SimpleNamespace(
            extended=types.SimpleNamespace(should_checkpoint=task_id == 0),
            cluster_resolver=types.SimpleNamespace(task_id=task_id),
        )

    assert worker_folder(worker(0), tmp_path) == pathlib.Path(tmp_path)
    assert worker_folder(worker(2), tmp_path) == tmp_path / "worker2"
    assert (tmp_path / "worker2").is_dir()
