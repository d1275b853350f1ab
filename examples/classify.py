"""Says what is in images: the five most probable classes, with a bar each.

    python examples/classify.py cat.jpg dog.jpg --weights=imagenet
    python examples/classify.py *.jpg --weights=alexnet-owt-7be5be79.pth
    python examples/classify.py *.jpg --weights=runs/transfer/alexnet.keras

`--weights=imagenet` downloads 244 MB once. `--figure=predictions.png` draws
the images over their bars, as Figure 4 (left) of the paper; where the folder
of an image bears the name of a class, its bar is red.

What cannot be decoded is named, and the others are classified; the script
ends with status 1 then. A damaged JPEG is classified with a warning.
"""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import shared_flags
import tensorflow as tf
from absl import app
from absl import flags
from shared_photos import read_photo

from keras_alexnet.data import image_size
from keras_alexnet.data import resize_and_crop
from keras_alexnet.evaluation import predict_views
from keras_alexnet.models import decode_predictions
from keras_alexnet.visualization import plot_predictions

FLAGS = flags.FLAGS
shared_flags.define_network()
shared_flags.define_classes("ImageNet's names where there are 1000 classes")
flags.DEFINE_enum(
    "views", "center", ["center", "ten"], "Views of each image to average."
)
flags.DEFINE_bool(
    "squeeze",
    False,
    "Squeeze images to a square, as Caffe's networks were trained, where "
    "others are cropped.",
)
flags.DEFINE_string("figure", None, "Save a picture of images and bars.")

BAR = 30


def squared(image, side):
    """The image as a square, cropped or squeezed."""
    if FLAGS.squeeze:
        square = tf.image.resize(image, (side, side), method="area")
        return tf.saturate_cast(tf.round(square), tf.uint8)
    return resize_and_crop(image, side)


def class_names(count):
    """Names of the classes, or `None` for those of ImageNet."""
    names = shared_flags.class_names(count)
    if names is None and count != 1000:
        names = [f"class {index}" for index in range(count)]
    return names


def best(probabilities, names):
    """The five most probable labels of an image, with their probabilities."""
    if names is None:
        (found,) = decode_predictions(probabilities[None])
        return [(name.replace("_", " "), float(p)) for _, name, p in found]
    order = np.argsort(-probabilities, kind="stable")[:5]
    return [(names[index], float(probabilities[index])) for index in order]


def main(arguments):
    paths = arguments[1:]
    if not paths:
        raise app.UsageError("Name at least one image.")
    model = shared_flags.network()
    names = class_names(model.output_shape[-1])
    side = image_size(model)
    images, guesses, sound = [], [], []
    for path in paths:
        photo = read_photo(path)
        if photo is None:
            continue
        sound.append(path)
        images.append(squared(photo, side).numpy())
        (probabilities,) = predict_views(model, images[-1][None], FLAGS.views)
        guesses.append(best(probabilities, names))
        print(path)
        for name, probability in guesses[-1]:
            bar = "█" * round(BAR * probability)
            print(f"  {bar:░<{BAR}} {100 * probability:5.1f} %  {name}")
    if FLAGS.figure and sound:
        folders = [pathlib.Path(path).resolve().parent.name for path in sound]
        known = [
            folder if folder in (names or ()) else None for folder in folders
        ]
        plot_predictions(images, guesses, FLAGS.figure, known)
        print(f"Saved {FLAGS.figure}")
    return 1 if len(sound) < len(paths) else 0


if __name__ == "__main__":
    app.run(main)
