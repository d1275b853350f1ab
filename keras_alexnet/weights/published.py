"""Weights that others have published, and their verified download."""

import contextlib
import dataclasses
import hashlib
import os
import socket
import tempfile

import keras

from keras_alexnet.disk import cache_folder
from keras_alexnet.weights.zipped import unzipped

MIRROR = "KERAS_ALEXNET_WEIGHTS_MIRROR"

# Seconds without a byte after which a server counts as dead.
PATIENCE = 60.0


@dataclasses.dataclass(frozen=True)
class PublishedWeights:
    """A file of weights, trained on the 1000 classes of ILSVRC-2012.

    Args:
        name: String, the name that its publisher gave it.
        architecture: String, the preset that it is for.
        url: String.
        size: Integer, bytes (unpacked); rounded where it is not known exactly.
        digest: String, algorithm and hexadecimal digits: `"sha1:…"`; of the
            unpacked file where the URL is of a zip archive.
        top1: Reported accuracy on the validation images, center crop, percent.
        top5: Likewise, among five guesses.
        license: String.
        preprocessing: String.
    """

    name: str
    architecture: str
    url: str
    size: int
    digest: str
    top1: float
    top5: float
    license: str
    preprocessing: str


WARPED = (
    "resized to 256 x 256 whatever the shape, central 227 x 227, BGR in "
    "0-255, minus the mean color"
)

SHORTER = "shorter side resized to 256, central 224 x 224, {}"
NORMALIZED = (
    "RGB in 0-1, minus the mean color, divided by the standard deviation"
)


def _pytorchcv(name, error_and_hash, release, top1):
    """An entry for a file of pytorchcv's, named by its top-5 error and hash."""
    error, sha1 = error_and_hash.split("-")
    parameters = 107_630_000 if name == "zfnetb" else 62_370_000
    return PublishedWeights(
        name=f"{name}-{error}-{sha1[:8]}",
        architecture=f"{name}_ptcv",
        url=(
            "https://github.com/osmr/imgclsmob/releases/download/"
            f"v0.0.{release}/{name}-{error}-{sha1[:8]}.pth.zip"
        ),
        size=4 * parameters,
        digest=f"sha1:{sha1}",
        top1=top1,
        top5=round(100 - int(error) / 100, 2),
        license="MIT",
        preprocessing=SHORTER.format(NORMALIZED),
    )


PUBLISHED = {
    # models/bvlc_alexnet/readme.md of Caffe.
    "caffe": PublishedWeights(
        name="bvlc_alexnet",
        architecture="caffe",
        url="http://dl.caffe.berkeleyvision.org/bvlc_alexnet.caffemodel",
        size=243_900_000,
        digest="sha1:9116a64c0fbe4459d18f4bb6b56d647b63920377",
        top1=57.1,
        top5=80.2,
        license="unrestricted",
        preprocessing=WARPED,
    ),
    # models/bvlc_reference_caffenet/readme.md of Caffe.
    "caffenet": PublishedWeights(
        name="bvlc_reference_caffenet",
        architecture="caffenet",
        url=(
            "http://dl.caffe.berkeleyvision.org/"
            "bvlc_reference_caffenet.caffemodel"
        ),
        size=243_900_000,
        digest="sha1:4c8d77deb20ea792f84eb5e6d0a11ca0a8660a46",
        top1=57.4,
        top5=80.4,
        license="unrestricted",
        preprocessing=WARPED,
    ),
    # models/bvlc_googlenet/readme.md and train_val.prototxt of Caffe.
    "googlenet": PublishedWeights(
        name="bvlc_googlenet",
        architecture="googlenet",
        url="http://dl.caffe.berkeleyvision.org/bvlc_googlenet.caffemodel",
        size=53_500_000,
        digest="sha1:405fc5acd08a3bb12de8ee5e23a96bec22f08204",
        top1=68.7,
        top5=88.9,
        license="unrestricted",
        preprocessing=WARPED.replace("227", "224"),
    ),
    # keras/src/applications/vgg16.py and vgg19.py; the accuracies are those of
    # the README of keras-applications. Of the files that the authors
    # published for Caffe no hash is known; these hold the same weights.
    "vgg_d": PublishedWeights(
        name="vgg16_weights_tf_dim_ordering_tf_kernels",
        architecture="vgg_d",
        url=(
            "https://storage.googleapis.com/tensorflow/keras-applications/"
            "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels.h5"
        ),
        size=553_400_000,
        digest="md5:64373286793e3c8b2b4e3219cbf3544b",
        top1=71.268,
        top5=90.050,
        license="CC BY 4.0",
        preprocessing=SHORTER.format("BGR in 0-255, minus the mean color"),
    ),
    "vgg_e": PublishedWeights(
        name="vgg19_weights_tf_dim_ordering_tf_kernels",
        architecture="vgg_e",
        url=(
            "https://storage.googleapis.com/tensorflow/keras-applications/"
            "vgg19/vgg19_weights_tf_dim_ordering_tf_kernels.h5"
        ),
        size=574_700_000,
        digest="md5:cbe5617147190e668d6c5d5026f83318",
        top1=71.256,
        top5=89.988,
        license="CC BY 4.0",
        preprocessing=SHORTER.format("BGR in 0-255, minus the mean color"),
    ),
    # README.md and common/model_metainfos.csv of pytorchcv.
    "alexnet_ptcv": _pytorchcv(
        "alexnet", "1664-2768cdb312d584e33e93f31b0c569589bb289749", "481", 61.5
    ),
    "zfnet_ptcv": _pytorchcv(
        "zfnet", "1727-d010ddca1eb32a50a8cceb475c792f53e769b631", "395", 60.21
    ),
    "zfnetb_ptcv": _pytorchcv(
        "zfnetb", "1490-f6bec24eba037c8e4956704ed5bafaed29966601", "400", 63.63
    ),
    # torchvision/models/alexnet.py, AlexNet_Weights.IMAGENET1K_V1. The file
    # name holds the first eight digits of the hash.
    "owt": PublishedWeights(
        name="alexnet-owt-7be5be79",
        architecture="owt",
        url="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        size=244_408_911,
        digest=(
            "sha256:"
            "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02"
        ),
        top1=56.522,
        top5=79.066,
        license="BSD-3-Clause",
        preprocessing=SHORTER.format(NORMALIZED),
    ),
}


@contextlib.contextmanager
def downloaded(weights):
    """Downloads a file of weights, which exists until the `with` block ends.

    The file is verified before the block begins, and removed after it, also if
    the block fails. An interrupted download leaves nothing, and the next one
    begins anew.

    Args:
        weights: A `PublishedWeights`. If the environment variable
            `KERAS_ALEXNET_WEIGHTS_MIRROR` is set, the file of the same name is
            taken from there instead.

    Yields:
        String, the path of the file.

    Raises:
        OSError: If there is no such file, or the connection breaks or stalls.
        ValueError: If the file is not the published one.
    """
    url = weights.url
    mirror = os.environ.get(MIRROR)
    if mirror:
        url = f"{mirror.rstrip('/')}/{url.rsplit('/', 1)[-1]}"
    models = cache_folder("models")
    models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=models) as folder:
        try:
            with _socket_timeout():
                path = keras.utils.get_file(
                    origin=url, cache_dir=folder, cache_subdir=""
                )
        # get_file raises bare exceptions.
        except Exception as error:
            raise OSError(
                f"The weights {weights.name} could not be downloaded: "
                f"{error or type(error).__name__} ({url}). Try again; or "
                f"download the file by other means and pass its path as "
                f"`weights`; or set {MIRROR} to a server that has it."
            ) from error
        _check_page(path, url, weights)
        with unzipped(path, folder) as unpacked:
            _verify(unpacked, url, weights)
            yield unpacked


@contextlib.contextmanager
def _socket_timeout():
    # get_file has no such argument, and waits for ever.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _check_page(path, url, weights):
    with open(path, "rb") as file:
        start = file.read(512).lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise ValueError(
            f"What {url} sent is not {weights.name}. It is a web page, such as "
            "servers send in place of a file. It has been removed."
        )


def _verify(path, url, weights):
    algorithm, wanted = weights.digest.split(":")
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found == wanted:
        return
    reason = "It is damaged, or another file."
    if os.path.getsize(path) < weights.size // 2:
        reason = "It is too small; the download may have been cut off."
    raise ValueError(
        f"What {url} sent is not {weights.name}: {algorithm} {found}, where "
        f"{wanted} is right. {reason} It has been removed."
    )
