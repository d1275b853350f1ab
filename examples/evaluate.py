"""Evaluates a trained network: center, ten or nine views, with intervals.

python examples/train.py --output=runs/train
python examples/evaluate.py --model=runs/train/alexnet.keras
python examples/evaluate.py --model=cifar10 --dataset=cifar10

`--answers=answers.parquet` writes what the network says of each image to
`answers-center.parquet`, and so on for other views. With `--runner` the work is
done by Apache Beam, and the same rows are in several files; what follows `--`
are Beam's own options, see docs/beam.md:

    python examples/evaluate.py --model=imagenet --dataset=imagenet \\
        --answers=answers.parquet --shards=8 --runner=DirectRunner \\
        -- --direct_running_mode=multi_processing --direct_num_workers=2
"""

import functools
import os
import pathlib

os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import shared_flags
from absl import app
from absl import flags

from keras_alexnet.beam import evaluate_split
from keras_alexnet.beam import load_remote_network
from keras_alexnet.data import evaluation_data
from keras_alexnet.data import image_size
from keras_alexnet.data import load_source
from keras_alexnet.disk import is_remote
from keras_alexnet.disk import replacing
from keras_alexnet.evaluation import answers
from keras_alexnet.evaluation import evaluate
from keras_alexnet.evaluation import write_answers
from keras_alexnet.models import dense_network
from keras_alexnet.models import load_network
from keras_alexnet.parquet import import_pyarrow

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "model",
    None,
    'A .keras file, or "imagenet", "cifar10", a .caffemodel, .pth or '
    ".safetensors file.",
    required=True,
)
shared_flags.define_architecture_of_weights()
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
flags.DEFINE_string(
    "answers",
    None,
    "Where probabilities are saved; it ends in .parquet. Required by --runner.",
)
flags.DEFINE_integer(
    "shards",
    None,
    "With --runner: files for each kind of views, by default one for every "
    "8,192 images.",
    lower_bound=1,
)
shared_flags.define_runner()


def tell(errors):
    print(errors)
    if FLAGS.per_class:
        print(errors.table())


def save_answers(model, data, views, source):
    """Writes what the network says of each image; returns the `Errors`."""
    found = answers(
        model, data, views, source.class_names, FLAGS.order, FLAGS.scales
    )
    path = pathlib.Path(FLAGS.answers)
    path = path.with_name(f"{path.stem}-{views}{path.suffix}")
    names = source.split(FLAGS.split).names()
    with replacing(path) as temporary:
        write_answers(temporary, found, names, source.damaged)
    return found.errors()


def evaluate_here():
    """All in this process."""
    model = load_network(FLAGS.model, FLAGS.architecture)
    source = shared_flags.source()
    shared_flags.check_classes(FLAGS.model, source)
    data = evaluation_data(
        source,
        FLAGS.split,
        batch_size=FLAGS.batch_size,
        resize=max(FLAGS.scales) if FLAGS.scales else image_size(model),
    )
    for views in FLAGS.views:
        network = dense_network(model) if views == "dense" else model
        if FLAGS.answers:
            tell(save_answers(network, data, views, source))
            continue
        tell(
            evaluate(
                network,
                data,
                views,
                order=FLAGS.order,
                class_names=source.class_names,
                scales=FLAGS.scales,
            )
        )
    tell_damaged([f"{name}: {what}" for name, what in source.damaged.items()])


def evaluate_on_beam(options):
    """By the workers of a runner, which write files of answers."""
    model = shared_flags.absolute_file(FLAGS.model)
    dataset, data_dir = FLAGS.dataset, FLAGS.data_dir
    # A worker may start in another folder.
    if data_dir and not is_remote(data_dir):
        data_dir = os.path.abspath(os.path.expanduser(data_dir))
    elif not data_dir and dataset != "digits" and os.path.isdir(dataset):
        dataset = os.path.abspath(dataset)
    open_source = functools.partial(
        load_source, dataset, data_dir, on_error=FLAGS.on_error
    )
    source = open_source()
    shared_flags.tell_skipped(source)
    shared_flags.check_classes(model, source)
    found, damaged = evaluate_split(
        functools.partial(load_remote_network, model, FLAGS.architecture),
        open_source,
        FLAGS.answers,
        FLAGS.split,
        FLAGS.views,
        FLAGS.batch_size,
        FLAGS.shards,
        FLAGS.order,
        FLAGS.scales,
        version=(
            f"{model} {FLAGS.architecture} {shared_flags.file_version(model)}"
        ),
        options=options,
    )
    for errors in found:
        tell(errors)
    tell_damaged([line.replace("\t", ": ") for line in damaged])


def tell_damaged(names):
    if names:
        print(f"Damaged, and judged as far as decoded: {len(names)}")
        print(*names, sep="\n")


def main(arguments):
    strange, options = shared_flags.beam_options(arguments)
    if strange:
        raise app.UsageError(f"Not a flag: {strange[0]}")
    if FLAGS.answers and not FLAGS.answers.endswith(".parquet"):
        raise app.UsageError("--answers must end in .parquet.")
    if FLAGS.runner and not FLAGS.answers:
        raise app.UsageError("--runner needs --answers=answers.parquet.")
    if FLAGS.shards and not FLAGS.runner:
        raise app.UsageError("--shards needs --runner.")
    if FLAGS.answers:
        # Before the work, rather than behind it.
        import_pyarrow()
    if FLAGS.runner:
        evaluate_on_beam(options)
    else:
        evaluate_here()


if __name__ == "__main__":
    app.run(main)
