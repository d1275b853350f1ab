import pytest

from keras_alexnet.studies.run_files import Run
from keras_alexnet.studies.run_files import is_failure
from keras_alexnet.studies.run_files import read_run
from keras_alexnet.studies.run_files import setting_key
from keras_alexnet.studies.run_files import write_run


def test_read_is_what_was_written(tmp_path):
    run = Run("completed", 3, 40, 0.25, 0.01, 100, (0.5, 0.25), 7.5)
    write_run(tmp_path / "deep" / "run.json", run, {"n": 5})
    assert read_run(tmp_path / "deep" / "run.json") == run
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["run.json"]


def test_key_depends_on_values_and_not_on_their_order():
    key = setting_key({"a": 1, "b": (2, 3)})
    assert key == setting_key({"b": [2, 3], "a": 1})
    assert key != setting_key({"b": [3, 2], "a": 1})


def exhausted():
    errors = pytest.importorskip("tensorflow").errors
    return errors.ResourceExhaustedError(
        None, None, "OOM when allocating tensor with shape[128,4096]"
    )


@pytest.mark.parametrize(
    "make, expected",
    [
        (lambda: FloatingPointError("The loss is nan"), True),
        (lambda: MemoryError(), True),
        (exhausted, True),
        # As PyTorch and JAX say it.
        (lambda: RuntimeError("CUDA out of memory. Tried to allocate"), True),
        (lambda: RuntimeError("RESOURCE_EXHAUSTED: Out of memory"), True),
        (lambda: ValueError("`n` must be odd"), False),
        (lambda: KeyError("val_top1_error"), False),
    ],
)
def test_failures_are_told_from_mistakes(make, expected):
    assert is_failure(make()) is expected
