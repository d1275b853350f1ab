"""TensorBoard shows what `HealthLog` has written."""

import contextlib
import json
import re
import subprocess
import sys
import threading
import urllib.request

import pytest

pytest.importorskip("tensorboard")

from chromium import browse  # noqa: E402
from small_networks import small  # noqa: E402
from test_health_log import trained  # noqa: E402

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def served(folder):
    """The address of a TensorBoard that shows a folder."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", "--port=0"]
        + [f"--logdir={folder}", "--load_fast=false", "--host=127.0.0.1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        # It says where it is once it listens.
        timer = threading.Timer(90, server.kill)
        timer.start()
        said = ""
        for line in server.stderr:
            said += line
            address = re.search(r"http://127\.0\.0\.1:\d+/", line)
            if address:
                break
        timer.cancel()
        assert address, said
        yield address.group()
    finally:
        server.kill()
        server.wait()


def asked(address, path):
    with urllib.request.urlopen(f"{address}data/{path}", timeout=60) as answer:
        return json.load(answer)


def test_where_people_look(tmp_path):
    trained(small("paper"), tmp_path / "logs", hparams={"learning_rate": 0.01})
    with served(tmp_path / "logs") as address:
        shown, console = browse(
            f"{address}#timeseries", tmp_path, "--dump-dom", timeout=120
        )
        assert not [line for line in console if ":ERROR:" in line]
        # Cards of the first page of each of the three kinds.
        for text in ("answers", "dead_units", "epoch", "kernels"):
            assert text in shown, f"{text} is not on the page"
        shown, console = browse(
            f"{address}#hparams", tmp_path, "--dump-dom", timeout=120
        )
        assert not [line for line in console if ":ERROR:" in line]
        scalars = asked(address, "plugin/scalars/tags")["health"]
        assert {"epoch/loss", "update_ratio/conv1/kernel"} <= set(scalars)
        images = asked(address, "plugin/images/tags")["health"]
        assert {"kernels/column 0", "kernels/column 1", "worst answers"} == set(
            images
        )
        histograms = asked(address, "plugin/histograms/tags")["health"]
        assert {"weights/conv1/kernel", "answers/fc7"} <= set(histograms)
        request = urllib.request.Request(
            f"{address}data/plugin/hparams/experiment",
            json.dumps({"experimentName": ""}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            hparams = json.load(answer)["hparamInfos"]
        assert [info["name"] for info in hparams] == ["learning_rate"]
