"""Caffe's text files: as Google's runtime reads them, or a clear error."""

import time
import tracemalloc

import numpy as np
import pytest

from keras_alexnet.weights import read_caffemodel
from keras_alexnet.weights import read_prototxt
from keras_alexnet.weights.text_format import MOST_WORDS

pytest.importorskip("google.protobuf")
import caffe_files  # noqa: E402
import caffe_nets  # noqa: E402
from google.protobuf import text_format  # noqa: E402

NETS = {
    "alexnet": caffe_nets.alexnet,
    "vgg": lambda: caffe_nets.vgg("C"),
    "googlenet": caffe_nets.googlenet,
    "nin": caffe_nets.nin,
    "resnet": caffe_nets.resnet50,
}


def layers_by_google(text, folder):
    """A text as Google's runtime reads it, through a binary file."""
    message = caffe_files.message("NetParameter")()
    text_format.Parse(text, message)
    path = folder / "google.caffemodel"
    path.write_bytes(message.SerializeToString())
    return read_caffemodel(path)


def layers_by_us(text, folder, phase="TEST"):
    path = folder / "net.prototxt"
    path.write_text(text)
    return read_prototxt(path, phase)


@pytest.mark.parametrize("name", NETS)
def test_networks_are_read_as_by_googles_runtime(name, tmp_path):
    text = NETS[name]().text
    ours = layers_by_us(text, tmp_path)
    assert ours == layers_by_google(text, tmp_path)
    assert len(ours.layers) > 20
    for layer in ours.layers:
        line = text.splitlines()[layer.line - 1]
        assert line == "layer {"
        assert layer.name in text.splitlines()[layer.line]


NOTATIONS = """
name: 'a' "b"  # neighbors are one
layer: < name: "\\x41\\101\\t'", type: "Input"; top: 'data'
  input_param { shape [{ dim: [1, 3, 0x10, 020] }] } >
layer {
  name: "conv" type: "Convolution" bottom: "data" top: "conv"
  param { lr_mult: 1 decay_mult: 1 } param: { lr_mult: 2 }
  propagate_down: [true, false]
  convolution_param { num_output: 4 kernel_size: [3, 5] pad: 1 pad: 2
    stride_h: 2 stride_w: 1 bias_term: false engine: CUDNN
    weight_filler { type: "gaussian" std: 1e-2 } }
}
layer { name: "lrn" type: "LRN" lrn_param { alpha: .5e-3f beta: 1. k: 2
  norm_region: WITHIN_CHANNEL } }
layer { name: "pool" type: "Pooling" pooling_param { pool: 1
  global_pooling: t } }
layer { name: "sum" type: "Eltwise" eltwise_param { operation: SUM
  coeff: 1 coeff: -1 } }
"""


def test_every_notation(tmp_path):
    net = layers_by_us(NOTATIONS, tmp_path)
    assert net.name == "ab"
    found = {layer.name: layer.settings for layer in net.layers}
    assert found == {
        "AA\t'": {"shape": (1, 3, 16, 16)},
        "conv": {
            "num_output": 4,
            "kernel_h": 3,
            "kernel_w": 5,
            "pad_h": 1,
            "pad_w": 2,
            "stride_h": 2,
            "stride_w": 1,
            "bias_term": 0,
        },
        "lrn": {"alpha": 0.0005, "beta": 1.0, "k": 2.0, "norm_region": 1},
        "pool": {"pool": 1, "global_pooling": 1},
        "sum": {"operation": 1, "coeff": (1.0, -1.0)},
    }
    # Where the test's schema has all fields, Google's runtime agrees.
    text = NOTATIONS.replace("engine: CUDNN", "")
    text = text.replace("propagate_down: [true, false]", "")
    assert layers_by_google(text, tmp_path) == net


PHASES = """
layer { name: "a" type: "Data" top: "x" include { phase: TRAIN }
  transform_param { crop_size: 7 mean_value: 104 mean_value: 117 scale: 2 } }
layer { name: "b" type: "Data" top: "x" include { phase: TEST } }
layer { name: "c" type: "ReLU" exclude { phase: TEST } }
layer { name: "d" type: "ReLU" include { phase: TRAIN }
  include { phase: TEST } }
layer { name: "e" type: "ReLU" include { stage: "deploy" } }
layer { name: "f" type: "ReLU" include { not_stage: "deploy" max_level: 2 } }
layer { name: "g" type: "ReLU" include { min_level: 1 } }
layer { name: "h" type: "ReLU" exclude { phase: TRAIN stage: "x" } }
"""


@pytest.mark.parametrize("phase, names", [("TRAIN", "acdfh"), ("TEST", "bdfh")])
def test_phases(phase, names, tmp_path):
    net = layers_by_us(PHASES, tmp_path, phase)
    assert "".join(layer.name for layer in net.layers) == names
    assert net.input_size == (7 if phase == "TRAIN" else None)
    if phase == "TRAIN":
        assert net.layers[0].settings == {
            "crop_size": 7,
            "mean_value": (104.0, 117.0),
            "scale": 2.0,
        }


def test_phases_that_are_none(tmp_path):
    with pytest.raises(ValueError, match="`phase` must be one of .*'test'"):
        layers_by_us(PHASES, tmp_path, "test")
    both = "layer { name: 'a'\n include {} exclude {} }"
    with pytest.raises(ValueError, match="line 1: layer `a` has both"):
        layers_by_us(both, tmp_path)
    with pytest.raises(ValueError, match="no layers for the phase TEST"):
        layers_by_us("layer { include { phase: TRAIN } }", tmp_path)


V1 = """
name: "old" input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layers { name: "conv1" type: CONVOLUTION bottom: "data" top: "conv1"
  blobs_lr: 1 blobs_lr: 2 weight_decay: 1 weight_decay: 0
  convolution_param { num_output: 4 kernel_size: 3 } }
layers { name: "sum" type: ELTWISE bottom: "conv1" bottom: "conv1" top: "s" }
layers { name: "prob" type: SOFTMAX bottom: "s" top: "prob" }
"""
V0 = """
layers { layer { name: "data" type: "data" cropsize: 8 scale: 0.5
  source: "x" batchsize: 2 meanfile: "y" } top: "data" top: "label" }
layers { layer { name: "pad1" type: "padding" pad: 2 } bottom: "data" top: "p" }
layers { layer { name: "conv1" type: "conv" num_output: 4 kernelsize: 5
  biasterm: false weight_filler { type: "xavier" } } bottom: "p" top: "conv1" }
layers { layer { name: "pool1" type: "pool" pool: AVE kernelsize: 2 stride: 2 }
  bottom: "conv1" top: "pool1" }
"""


def test_older_generations(tmp_path):
    net = layers_by_us(V1, tmp_path)
    assert [layer.type for layer in net.layers] == [
        *("Input", "Convolution", "Eltwise", "Softmax")
    ]
    assert net.layers[0].settings == {"shape": (1, 3, 8, 8)}
    assert net.layers[1].line == 3
    net = layers_by_us(V0, tmp_path)
    data, conv, pool = net.layers
    assert data.settings == {"crop_size": 8, "scale": 0.5}
    assert conv.bottoms == ("data",)
    assert conv.settings == {
        "num_output": 4,
        "kernel_size": 5,
        "pad": 2,
        "bias_term": 0,
    }
    assert pool.settings == {"pool": 1, "kernel_size": 2, "stride": 2}


@pytest.mark.parametrize(
    "text, match",
    [
        ("", "has no layers"),
        ("base_lr: 0.01", "line 1: Caffe has no field `base_lr`"),
        ("<html>Not found</html>", "line 1: a field's name is wanted, not '<'"),
        ("layer {\n\n  kernel: 3 }", "line 3: Caffe has no field `kernel`"),
        (
            'layer { name: "c1"\n convolution_param {\n kernel_sizes: 3 } }',
            "line 3: Caffe has no field `kernel_sizes` .*layer `c1`",
        ),
        ("layer { name: c1 }", "`name` must be a string in quotes"),
        ("layer { name 'c1' }", "`name` must be followed by a colon"),
        ("layer { name: 'a' name: 'b' }", "`name` is given twice .*`a`"),
        ("layer { name: ['a', 'b'] }", "`name` must have one value"),
        ("layer: 3", "`layer` must be followed by braces"),
        ("layer {", "ends in the middle of a message"),
        ("layer { name: 'a'", "ends in the middle of a message .*`a`"),
        ("layer { lrn_param { alpha: } }", "`alpha` must be a finite number"),
        ("layer { lrn_param { alpha: nan } }", "finite number.*nan"),
        ("layer { lrn_param { alpha: 1e999 } }", "finite number.*1e999"),
        ("layer { lrn_param { local_size: 5.5 } }", "integer.*5.5"),
        ("layer { pooling_param { pool: MEAN } }", "of MAX, AVE, STOCH.*MEAN"),
        ("layer { pooling_param { pool: 7 } }", "of MAX, AVE.*7"),
        ("layer { pooling_param { global_pooling: 2 } }", "true or false"),
        ("layer { pooling_param { stride: 99999999999 } }", "below 2..31"),
        ("layer { name: 'abc\n' }", r"line 1: \"'abc\" is no text of Caffe's"),
        ("layer { blobs { data: 1 } }", "weights are not read from text"),
        ("layer { include [ { } }", "must end with '\\]'"),
        ("layer { param { lr_mult: 1 ]", "'\\]' is not wanted"),
        ("input: 'a' input: 'b' input_dim: 1", "2 inputs have 1 shapes"),
        (
            "layer { name: 'c' type: 'Convolution'\n"
            "convolution_param { pad: 1 pad: 2 pad: 3 } }",
            r"pad of layer `c` \(line 1\) is \[1, 2, 3\]",
        ),
        ("\n\nlayer { name: 'é' \x00 }", "line 3: '.x00 }' is no text"),
    ],
)
def test_texts_that_are_no_network(text, match, tmp_path):
    with pytest.raises(ValueError, match=f"(?s)net.prototxt.*{match}"):
        layers_by_us(text, tmp_path)


HUGE = [
    ("layer { param {" + "{" * 200_000, "nested too deeply"),
    ("layer { name: '" + "x" * 20_000 + "' }", "has 20000 characters"),
    ("layer { type: 'a' }\n" * 20_000, f"more than {MOST_WORDS} words"),
    ("[" * 400_000, "a field's name is wanted"),
    ("layer { " * 100_000, "Caffe has no field `layer`"),
    ("layer { bottom: " + "'a' " * 110_000, "more than"),
    ("#" * 5_000_000, "has 5000000 bytes, too many"),
    ("'" + "\\" * 3_000_000, "is no text"),
    ("a" * 4_000_000, "no field"),
    ("1" * 4_000_000, "a field's name is wanted"),
]


@pytest.mark.parametrize("text, match", HUGE, ids=range(len(HUGE)))
def test_hostile_texts_take_little_time_and_memory(text, match, tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(text)
    started = time.process_time()
    with pytest.raises(ValueError, match=match) as caught:
        read_prototxt(path)
    assert time.process_time() - started < 2.0
    assert len(str(caught.value)) < 1000
    tracemalloc.start()
    try:
        with pytest.raises(ValueError):
            read_prototxt(path)
        assert tracemalloc.get_traced_memory()[1] < 60 * 2**20
    finally:
        tracemalloc.stop()


def test_binary_files_are_no_text(tmp_path):
    net = caffe_nets.nin(width=1 / 32)
    _, weights = net.save(tmp_path, whole=True)
    with pytest.raises(ValueError, match="line .* Is the file a .caffemodel"):
        read_prototxt(weights)


def test_a_byte_order_mark_and_windows_lines(tmp_path):
    path = tmp_path / "net.prototxt"
    text = caffe_nets.vgg("A").text
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert read_prototxt(path) == layers_by_google(text, tmp_path)
    assert np.all([layer.line for layer in read_prototxt(path).layers])
