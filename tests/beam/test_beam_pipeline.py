"""The options of Beam, and the runner that they mean."""

import pytest

from keras_alexnet.beam.pipeline import beam_options
from keras_alexnet.beam.pipeline import run_shards

pytest.importorskip("apache_beam")


@pytest.mark.parametrize(
    "options, runner",
    [
        ([], None),
        (["--runner=DirectRunner"], "DirectRunner"),
        (["--direct_running_mode=multi_threading"], "FnApiRunner"),
        (
            ["--runner=direct", "--direct_running_mode=multi_processing"],
            "FnApiRunner",
        ),
        (["--runner=FlinkRunner", "--flink_master=a:8081"], "FlinkRunner"),
        (
            ["--runner=SparkRunner", "--direct_running_mode=multi_threading"],
            "SparkRunner",
        ),
    ],
)
def test_the_runner(options, runner):
    from apache_beam.options.pipeline_options import StandardOptions

    assert beam_options(options).view_as(StandardOptions).runner == runner


def test_options_that_nobody_knows():
    with pytest.warns(UserWarning, match="does not know flink_mister"):
        beam_options(["--runner=FlinkRunner", "--flink_mister=a:8081"])


def say(number):
    return [f"{number} {i}" for i in range(number % 3)]


@pytest.mark.parametrize("count", [0, 7])
def test_problems_are_listed_in_order(count, tmp_path):
    run_shards(
        say,
        range(count),
        str(tmp_path / "problems.txt"),
        ["--direct_running_mode=multi_threading", "--direct_num_workers=2"],
    )
    lines = (tmp_path / "problems.txt").read_text().splitlines()
    assert lines == ["1 0", "2 0", "2 1", "4 0", "5 0", "5 1"][: count or 0]
