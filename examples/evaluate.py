"""Evaluates a trained network: center, ten or nine views, with intervals.

python examples/train.py --output=runs/train
python examples/evaluate.py --model=runs/train/alexnet.keras
python examples/evaluate.py --model=cifar10 --dataset=cifar10
"""

import os

os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import shared_flags
from absl import app
from absl import flags

from keras_alexnet.data import evaluation_data
from keras_alexnet.data import image_size
from keras_alexnet.evaluation import evaluate
from keras_alexnet.models import dense_network
from keras_alexnet.models import load_network

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "model",
    None,
    'A .keras file, or "imagenet", "cifar10", a .caffemodel, .pth or '
    ".safetensors file.",
    required=True,
)
shared_flags.define_source()
flags.DEFINE_string("split", "test", "The split to measure errors on.")
flags.DEFINE_multi_enum(
    "views",
    ["center", "ten"],
    ["center", "ten", "nine", "fifty", "googlenet", "dense"],
    "Views of each image to average.",
)
flags.DEFINE_multi_integer(
    "scales",
    None,
    "Pixels of the shorter side; views at all of these are averaged.",
    lower_bound=1,
)
flags.DEFINE_enum(
    "order",
    "cuda-convnet",
    ["cuda-convnet", "caffe"],
    "The order of the ten views.",
)
flags.DEFINE_integer("batch_size", 32, "Images at a time.")
flags.DEFINE_bool("per_class", True, "Print a line per class.")


def main(_):
    model = load_network(FLAGS.model)
    source = shared_flags.source()
    data = evaluation_data(
        source,
        FLAGS.split,
        batch_size=FLAGS.batch_size,
        resize=max(FLAGS.scales) if FLAGS.scales else image_size(model),
    )
    for views in FLAGS.views:
        errors = evaluate(
            dense_network(model) if views == "dense" else model,
            data,
            views,
            order=FLAGS.order,
            class_names=source.class_names,
            scales=FLAGS.scales,
        )
        print(errors)
        if FLAGS.per_class:
            print(errors.table())
    if source.damaged:
        print(f"Damaged, and judged as far as decoded: {len(source.damaged)}")
        print(*source.damaged, sep="\n")


if __name__ == "__main__":
    app.run(main)
