"""The flags that several examples share, each defined once.

A script calls `define_…` for the flags that it needs, where it defines its
own, and reads them with the other functions once `app.run` has parsed them:

    shared_flags.define_source()
    shared_flags.define_recipe(DIGITS)
    ...
    source, recipe = shared_flags.source(), shared_flags.recipe(DIGITS)
"""

import ast
import dataclasses
import logging
import os
import posixpath
import sys

import keras
from absl import app
from absl import flags

from keras_alexnet.data import load_source
from keras_alexnet.models import ARCHITECTURES
from keras_alexnet.models import load_network
from keras_alexnet.models import resolve_architecture
from keras_alexnet.models import with_width
from keras_alexnet.training import RECIPES
from keras_alexnet.training import resolve_recipe
from keras_alexnet.weights import SHIPPED

# Names of files need not be text, and are printed nevertheless.
sys.stdout.reconfigure(errors="backslashreplace")

FLAGS = flags.FLAGS
# The flags are the caller's: its `--help` lists them.
flags.disclaim_key_flags()

# What flags that are not given mean for the dataset "digits", which is small
# and has no mirror images. A script adds its own, such as the epochs.
DIGITS = {"batch_size": 32, "flip": False}


def define_source(default="digits"):
    """`--dataset`, `--data_dir`, `--on_error`; `default=None` requires one."""
    flags.DEFINE_string(
        "dataset",
        default,
        '"digits", a TFDS name, a folder of class folders or of a prepared '
        "set; the latter may be remote (gs://...).",
        required=default is None,
    )
    flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data sets.")
    flags.DEFINE_enum(
        "on_error",
        "raise",
        ["raise", "skip"],
        "Where a file is no sound image or a class has none: end with an "
        "error, or leave it out and say so.",
    )


def define_holdout(default, purpose):
    """`--holdout`; `purpose` completes "Share of the training set"."""
    flags.DEFINE_float(
        "holdout", default, f"Share of the training set {purpose}"
    )


def source(seed=0):
    """The `Source` that the flags name. What it leaves out is printed."""
    opened = load_source(
        FLAGS.dataset,
        FLAGS.data_dir,
        holdout=_given("holdout") or 0.0,
        seed=seed,
        on_error=FLAGS.on_error,
    )
    tell_skipped(opened)
    return opened


def tell_skipped(source):
    """Prints what was left out of a `Source`, and what in it is damaged."""
    for what, names in (
        ("Left out of", source.skipped),
        ("Damaged in", source.damaged),
    ):
        if names:
            print(f"{what} {source.name}: {len(names)}. The first:")
            print(*list(names)[:5], sep="\n")


def define_architecture(purpose, digits):
    """`--architecture` and `--input_size`; `purpose` is the former's help."""
    flags.DEFINE_enum("architecture", "paper", list(ARCHITECTURES), purpose)
    flags.DEFINE_integer(
        "input_size",
        None,
        f"Pixels; the architecture's, or {digits['input_size']} for digits.",
        lower_bound=1,
    )


def define_width(digits):
    """`--width`."""
    flags.DEFINE_float(
        "width",
        None,
        f"Factor of all widths; 1, or {digits['width']} for digits.",
        lower_bound=0.01,
    )


def architecture(digits):
    """The `Architecture` that the flags describe."""
    chosen = resolve_architecture(FLAGS.architecture)
    width = _given("width", digits)
    return chosen if width is None else with_width(chosen, width)


def input_size(network, digits):
    """Pixels per side for an `Architecture`, an integer."""
    return _given("input_size", digits) or network.input_size


def define_weights():
    """`--weights` and `--architecture`, of a network that is trained."""
    flags.DEFINE_string(
        "weights",
        "imagenet",
        '"imagenet", "cifar10", or a .caffemodel, .pth, .safetensors or .keras '
        "file.",
    )
    define_architecture_of_weights()


def define_architecture_of_weights():
    """`--architecture`, of a network that is trained."""
    flags.DEFINE_enum(
        "architecture",
        None,
        list(ARCHITECTURES),
        "By default what the file holds; of cifar10's two, the 13 % net.",
    )


def define_network():
    """`define_weights`, and `--prototxt`."""
    define_weights()
    flags.DEFINE_string(
        "prototxt", None, "The description of a .caffemodel, where it has one."
    )


def network():
    """The trained network that the flags name."""
    return load_network(FLAGS.weights, FLAGS.architecture, FLAGS.prototxt)


def define_classes(default):
    """`--classes`; `default` says what names are there without a file."""
    flags.DEFINE_string(
        "classes",
        None,
        "A text file, one name per line; by default the classes.txt beside "
        f"the weights, or {default}.",
    )


def class_names(count):
    """Names of so many classes, or `None` where nobody has named them."""
    if not FLAGS.classes and FLAGS.weights in SHIPPED:
        return list(SHIPPED[FLAGS.weights].class_names)
    if FLAGS.classes:
        path, names = FLAGS.classes, read_names(FLAGS.classes)
    else:
        path, names = names_beside(FLAGS.weights)
    if names is not None and len(names) != count:
        raise app.UsageError(
            f"{path} names {len(names)} classes; the network has {count}."
        )
    return names


def names_beside(weights):
    """The `classes.txt` beside a file of weights: its path and its names.

    Args:
        weights: String, the path of a file, which may be remote, or a name of
            published weights, beside which there is nothing.

    Returns:
        Pair of a path and a list of strings, or `(None, None)`.
    """
    path = posixpath.join(os.path.dirname(weights), "classes.txt")
    if _is_file(weights) and _is_file(path):
        return path, read_names(path)
    return None, None


def read_names(path):
    """The lines of a file, whatever bytes they have."""
    import tensorflow as tf

    with tf.io.gfile.GFile(path, "rb") as file:
        return file.read().decode("utf-8", "surrogateescape").splitlines()


def _is_file(path):
    import tensorflow as tf

    return tf.io.gfile.exists(path) and not tf.io.gfile.isdir(path)


def check_classes(weights, source):
    """Refuses images whose classes are those of a network in another order.

    Only the names tell it; the numbers of classes are equal.

    Args:
        weights: As in `names_beside`.
        source: The `Source` on which the network shall be judged.
    """
    path, names = names_beside(weights)
    if names is None or names == list(source.class_names):
        return
    if sorted(names) == sorted(source.class_names):
        place = [
            a == b for a, b in zip(names, source.class_names, strict=True)
        ].index(False)
        raise app.UsageError(
            f"The classes of {source.name} are in another order than those in "
            f"{path}: number {place} is {source.class_names[place]!r}, of the "
            f"network {names[place]!r}. Name the folders as they were named "
            "in training."
        )
    if len(names) == len(source.class_names):
        print(
            f"The classes have other names than in {path}. They are taken for "
            f"the same, in order: {names[0]!r} for {source.class_names[0]!r}."
        )


def define_recipe(digits):
    """`--recipe`, `--epochs`, `--batch_size` and `--flip`."""
    flags.DEFINE_enum(
        "recipe", "small_data", list(RECIPES), "How the network is trained."
    )
    for name in ("epochs", "batch_size"):
        flags.DEFINE_integer(
            name,
            None,
            f"The recipe's, or {digits[name]} for digits.",
            lower_bound=1,
        )
    flags.DEFINE_bool(
        "flip", None, "Mirror images; the recipe's, no for digits."
    )


def recipe(digits):
    """The `Recipe` that the flags describe."""
    values = {
        name: _given(name, digits) for name in ("epochs", "batch_size", "flip")
    }
    changes = {k: v for k, v in values.items() if v is not None}
    return dataclasses.replace(resolve_recipe(FLAGS.recipe), **changes)


def define_changes():
    """`--change`."""
    flags.DEFINE_multi_string(
        "change",
        [],
        "Another value of a field of the architecture or the recipe, such as "
        "dropout=0.3 or color_sigma=0; may be given several times.",
    )


def changed(*parts, flag="change", texts=None):
    """Dataclasses with the values that `--change` gives to their fields.

    Args:
        *parts: Dataclasses, such as an `Architecture` and a `Recipe`. A field
            that several of them have is the last one's.
        flag: String, the flag that an error names. Defaults to `"change"`.
        texts: List of strings, such as `"dropout=0.3"`. Defaults to those of
            `--change`.

    Returns:
        Tuple of dataclasses.
    """
    names = [{field.name for field in dataclasses.fields(p)} for p in parts]
    changes = [{} for _ in parts]
    for change in FLAGS.change if texts is None else texts:
        name, equals, text = change.partition("=")
        owner = None
        for own, known in zip(changes, names, strict=True):
            owner = own if name in known else owner
        if not equals or owner is None:
            raise app.UsageError(
                f"--{flag}={change} must be name=value, and name one of "
                f"{', '.join(sorted(set().union(*names)))}."
            )
        if name == "input_size":
            # The images have it, too.
            raise app.UsageError(
                f"--{flag}={change} is no change of a network alone. Use "
                "--input_size."
            )
        if name in owner:
            raise app.UsageError(f"--{flag}={change}: {name} is given twice.")
        owner[name] = _literal(text)
    found = tuple(
        dataclasses.replace(part, **own)
        for part, own in zip(parts, changes, strict=True)
    )
    _check_initialization(found, set().union(*changes), flag)
    return found


def _check_initialization(parts, names, flag):
    """Refuses initial values that the recipe would replace."""
    lost = sorted(names & {"initial_stds", "initial_biases"})
    own = [getattr(part, "initialization", None) for part in parts]
    if lost and any(own):
        raise app.UsageError(
            f"--{flag}={lost[0]}=... has no effect, as the recipe initializes "
            f"all weights. Add initialization=None."
        )


def _literal(text):
    """A number, a tuple, `None` and so on; what is none of it is a string."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def define_mixed_precision():
    """`--mixed_precision`."""
    flags.DEFINE_enum(
        "mixed_precision",
        None,
        ["float16", "bfloat16"],
        "Compute in 16 bits, and keep weights in 32.",
    )


def set_precision():
    """Makes all layers from now on compute as `--mixed_precision` says."""
    if FLAGS.mixed_precision:
        keras.config.set_dtype_policy(f"mixed_{FLAGS.mixed_precision}")


def define_cache():
    """`--cache`."""
    flags.DEFINE_bool("cache", False, "Keep decoded images in memory.")


def define_seed():
    """`--seed`."""
    flags.DEFINE_integer(
        "seed", 0, "Of the weights, the order of images and the augmentation."
    )


def define_runner():
    """`--runner`."""
    flags.DEFINE_string(
        "runner",
        None,
        "The runner of Apache Beam that does the work, such as DirectRunner, "
        "DataflowRunner, FlinkRunner or SparkRunner; what follows -- are "
        "Beam's own options. By default this process does it, without Beam.",
    )


def beam_options(arguments):
    """What a script was started with beside its flags.

    Args:
        arguments: List of strings, the argument of `main`.

    Returns:
        Tuple of two lists of strings: arguments of the script, and options of
        Beam, `--runner` among them.
    """
    rest = arguments[1:]
    first = next((i for i, a in enumerate(rest) if a[:1] == "-"), len(rest))
    own, options = rest[:first], rest[first:]
    if options and not FLAGS.runner:
        raise app.UsageError(
            f"{' '.join(options)}: options of Beam need --runner."
        )
    if FLAGS.runner:
        options = [f"--runner={FLAGS.runner}", *options]
        # Beam tells every channel that it opens.
        logging.getLogger("apache_beam").setLevel(logging.WARNING)
    return own, options


def absolute_file(path):
    """The path of a file, for workers that start in another folder.

    Args:
        path: String; or a name of weights, or `None`.

    Returns:
        What came, where it is no file: a folder `imagenet` is not the
        weights of that name.
    """
    return os.path.abspath(path) if path and os.path.isfile(path) else path


def file_version(path):
    """A string that changes when a file does.

    Args:
        path: String, on this machine or one of TensorFlow's remote paths; or
            a name of weights, or `None`.

    Returns:
        String, which for what is no file is empty.
    """
    import tensorflow as tf

    if not path or not _is_file(path):
        return ""
    stat = tf.io.gfile.stat(path)
    return f"{path} {stat.length} {stat.mtime_nsec}"


def define_output(folder):
    """`--output`."""
    flags.DEFINE_string(
        "output", folder, "The folder for everything that is saved."
    )


def _given(name, digits=None):
    """The value of a flag that is defined, else that of digits, or `None`."""
    if name not in FLAGS:
        return None
    value = FLAGS[name].value
    if value is None and digits and FLAGS.dataset == "digits":
        value = digits.get(name)
    return value
