"""Downloads, from a server on this machine that can misbehave."""

import dataclasses
import hashlib
import http.server
import threading
import time

import pytest

from keras_alexnet.weights import published
from keras_alexnet.weights.published import PUBLISHED
from keras_alexnet.weights.published import downloaded

CONTENT = bytes(range(256)) * 400
PAGE = b"<!DOCTYPE html><html><body>Not found</body></html>"


class Handler(http.server.BaseHTTPRequestHandler):
    """Sends CONTENT in the way that the first folder of the path names."""

    def do_GET(self):
        way = self.path.split("/")[1]
        self.server.asked.append(self.path)
        if way == "missing":
            self.send_error(404)
            return
        body = {
            "page": PAGE,
            "wrong": CONTENT[::-1],
            "cut": CONTENT[:1000],
        }.get(way, CONTENT)
        self.send_response(200)
        if way != "cut":
            self.send_header("Content-Length", len(body))
        self.end_headers()
        if way == "slow":
            for start in range(0, len(body), 20_000):
                self.wfile.write(body[start : start + 20_000])
                time.sleep(0.02)
        elif way in ("truncated", "stalled"):
            self.wfile.write(body[:50_000])
            self.wfile.flush()
            if way == "stalled":
                self.server.released.wait(5)
        else:
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.asked = []
    server.released = threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv(published.MIRROR, raising=False)
    return tmp_path


def weights(server, way):
    return dataclasses.replace(
        PUBLISHED["caffe"],
        url=f"http://127.0.0.1:{server.server_port}/{way}/net.caffemodel",
        size=len(CONTENT),
        digest=f"sha1:{hashlib.sha1(CONTENT).hexdigest()}",
    )


def left_over(home):
    return [path for path in home.rglob("*") if path.is_file()] + list(
        (home / "models").iterdir()
    )


@pytest.mark.parametrize("way", ["good", "slow"])
def test_a_sound_file_is_there_for_the_block(way, server, home):
    with downloaded(weights(server, way)) as path:
        assert path.startswith(str(home))
        with open(path, "rb") as file:
            assert file.read() == CONTENT
    assert not left_over(home)


@pytest.mark.parametrize(
    "way, error, message",
    [
        ("wrong", ValueError, "sha1 .* is right. It is damaged"),
        ("cut", ValueError, "too small; the download may have been cut off"),
        ("page", ValueError, "It is a web page"),
        ("missing", OSError, "could not be downloaded: .*404.*MIRROR"),
        ("truncated", OSError, "retrieval incomplete"),
        ("stalled", OSError, "could not be downloaded: timed out"),
    ],
)
def test_what_is_not_the_file_is_refused(
    way, error, message, server, home, monkeypatch
):
    monkeypatch.setattr(published, "PATIENCE", 0.5)
    with pytest.raises(error, match=message):
        with downloaded(weights(server, way)):
            pytest.fail("the block was entered")
    assert not left_over(home)


def test_no_server(home):
    entry = dataclasses.replace(
        PUBLISHED["caffe"], url="http://127.0.0.1:9/net.caffemodel"
    )
    with pytest.raises(OSError, match="Connection refused.*pass its path"):
        with downloaded(entry):
            pass


def test_after_a_failure_the_next_try_begins_anew(server, home):
    with pytest.raises(OSError):
        with downloaded(weights(server, "truncated")):
            pass
    with downloaded(weights(server, "good")) as path:
        with open(path, "rb") as file:
            assert len(file.read()) == len(CONTENT)


def test_an_interrupted_block_leaves_nothing(server, home):
    with pytest.raises(KeyboardInterrupt):
        with downloaded(weights(server, "good")):
            raise KeyboardInterrupt
    assert not left_over(home)


def test_sha256_and_a_mirror(server, home, monkeypatch):
    digest = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    entry = dataclasses.replace(
        PUBLISHED["owt"], url="http://127.0.0.1:9/a/net.pth", digest=digest
    )
    mirror = f"http://127.0.0.1:{server.server_port}/good/mine/"
    monkeypatch.setenv(published.MIRROR, mirror)
    with downloaded(entry):
        assert server.asked[-1] == "/good/mine/net.pth"


# With the auxiliary classifiers of GoogLeNet.
PARAMETERS = {
    "caffe": 60_965_224,
    "caffenet": 60_965_224,
    "googlenet": 13_378_280,
    "vgg_d": 138_357_544,
    "vgg_e": 143_667_240,
    "alexnet_ptcv": 62_378_344,
    "zfnet_ptcv": 62_357_608,
    "zfnetb_ptcv": 107_627_624,
    "owt": 61_100_840,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_table(name):
    entry = PUBLISHED[name]
    assert entry.architecture == name
    algorithm, digits = entry.digest.split(":")
    assert len(digits) == 2 * hashlib.new(algorithm).digest_size
    assert abs(entry.size / (4 * PARAMETERS[name]) - 1) < 0.001
    assert 50 < entry.top1 < entry.top5 < 91
    if entry.url.endswith(".zip"):
        # pytorchcv names its files by the error and the hash.
        _, error, start = entry.name.split("-")
        assert digits.startswith(start)
        assert entry.top5 == 100 - int(error) / 100
    if name == "owt":
        # torchvision names its files by the hash.
        assert digits.startswith(entry.name.rsplit("-", 1)[1])
