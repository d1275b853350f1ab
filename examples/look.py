"""Draws what a network looks at in photos, and what goes on in it.

    python examples/look.py cat.jpg dog.jpg --weights=runs/train/alexnet.keras
    python examples/look.py cat.jpg --weights=imagenet --unit=281
    python examples/look.py cat.jpg --weights=net.keras --photos=folder

`--weights=imagenet` downloads 244 MB once. In the folder `--output` there is,
for the network, `kernels.png` (Figure 3 of the paper) and, unless its layers
branch, `architecture.png` (Figure 2), and for each photo a folder of its name
with

- `looks.png`: gradient, guided backpropagation, deconvnet, integrated
  gradients and Grad-CAM of the most probable class, or of `--unit`;
- `occlusion.png`: what the network says while a square covers a part;
- `class_maps.png`: the network over the whole photo, as a map per class;
- `activations.png` and `lrn.png`: feature maps, and what LRN does to them.

With `--photos`, a folder of images, also `patches_conv3.png` and so on, the
nine patches that excite feature maps most, `dead_units.png` and
`statistics.txt`. A photo that cannot be decoded is named, and the others are
looked at; the script ends with status 1 then.
"""

import itertools
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import shared_flags
import tensorflow as tf
from absl import app
from absl import flags
from shared_photos import read_photo

from keras_alexnet import inspection
from keras_alexnet import visualization
from keras_alexnet.data import center_view
from keras_alexnet.data import decode
from keras_alexnet.data import image_files
from keras_alexnet.data import image_size
from keras_alexnet.data import problem
from keras_alexnet.data import resize_and_crop
from keras_alexnet.layers import GroupedConv2D
from keras_alexnet.layers import LocalResponseNormalization
from keras_alexnet.models import Architecture
from keras_alexnet.models import to_fully_convolutional
from keras_alexnet.text_table import text_table

FLAGS = flags.FLAGS
shared_flags.define_network()
shared_flags.define_classes("the numbers")
flags.DEFINE_integer("unit", None, "The class; by default the most probable.")
flags.DEFINE_string("photos", None, "A folder of images to find patches in.")
flags.DEFINE_integer("limit", 500, "Look at so many images of the folder.")
flags.DEFINE_list(
    "layers", None, "Find patches for these; by default all convolutions."
)
flags.DEFINE_integer("maps", 16, "Find patches for so many maps of a layer.")
flags.DEFINE_float(
    "zoom",
    2.0,
    "Shorter side of a photo for its class maps, in sides of the input.",
    lower_bound=1.0,
)
flags.DEFINE_string("output", "runs/look", "The folder for the pictures.")


def cropped(image, model):
    """The central view, as the model takes it."""
    square = resize_and_crop(image, image_size(model))
    return center_view(square[None], model.input_shape[1])[0]


def class_names(count):
    """Names of the classes, or their numbers."""
    numbers = [f"class {index}" for index in range(count)]
    return shared_flags.class_names(count) or numbers


def look_at_network(model, folder):
    """Pictures of the network itself."""
    if is_chain(model):
        visualization.plot_architecture(model, folder / "architecture.png")
    visualization.plot_kernels(model, folder / "kernels.png")
    print(f"conv1: {inspection.color_specialization(model)}")


def look_at_photo(model, sliding, photo, names, folder):
    """Pictures of what the network looks at in one photo."""
    image = cropped(photo, model).numpy().astype("float32")
    found = inspection.occlusion(model, image, FLAGS.unit)
    unit, batch = found.unit, image[None]
    probability = found.uncovered[1]
    fields = inspection.receptive_fields(model)
    maps = {
        "gradient": inspection.gradient(model, batch, unit=unit),
        "guided backpropagation": inspection.guided_backpropagation(
            model, batch, unit=unit
        ),
        "deconvnet": inspection.deconvnet(model, batch, unit=unit),
        "integrated gradients": inspection.integrated_gradients(
            model, batch, unit=unit
        ),
        f"Grad-CAM ({found.maps})": inspection.grad_cam(
            model, batch, unit=unit
        ),
    }
    visualization.plot_attributions(
        image,
        {name: values[0] for name, values in maps.items()},
        folder / "looks.png",
        f"{names[unit]}, probability {probability:.2f}",
        {f"Grad-CAM ({found.maps})": fields[found.maps]},
    )
    visualization.plot_occlusion(image, found, folder / "occlusion.png", names)
    outputs = inspection.activations(model, batch)
    convolutions = [name for name in outputs if name in conv_names(model)]
    visualization.plot_activations(
        {name: outputs[name] for name in convolutions},
        folder / "activations.png",
    )
    draw_lrn(model, outputs, folder)
    if sliding is not None:
        draw_class_maps(model, sliding, photo, names, fields, folder)
    print(f"{folder}: {names[unit]}, probability {probability:.2f}")


def draw_lrn(model, outputs, folder):
    """The first LRN, before and after."""
    layers = [layer for layer in model.layers if layer.name in outputs]
    for before, layer in itertools.pairwise(layers):
        if isinstance(layer, LocalResponseNormalization):
            visualization.plot_lrn(
                outputs[before.name],
                outputs[layer.name],
                folder / "lrn.png",
                layer.name,
            )
            return


def draw_class_maps(model, sliding, photo, names, fields, folder):
    """The network at every place of the whole photo."""
    side = FLAGS.zoom * model.input_shape[1]
    scale = side / min(photo.shape[:2])
    size = [round(scale * pixels) for pixels in photo.shape[:2]]
    large = tf.image.resize(photo, size, method="area")
    maps = sliding.predict(large[None], verbose=0)[0]
    last = model.layers[-1].name
    visualization.plot_class_maps(
        large.numpy(),
        maps,
        folder / "class_maps.png",
        None if FLAGS.unit is None else [FLAGS.unit],
        names,
        fields[last],
    )


def is_chain(model):
    """Whether each layer has the one before it as its input."""
    return isinstance(getattr(model, "architecture", None), Architecture)


def conv_names(model):
    """Names of the convolutions."""
    if is_chain(model):
        return model.architecture.conv_names
    kinds = (keras.layers.Conv2D, GroupedConv2D)
    return [layer.name for layer in model.layers if isinstance(layer, kinds)]


def folder_images(model):
    """Batches of central views of the images in `--photos`."""
    skipped = []
    paths = image_files(pathlib.Path(FLAGS.photos), skipped, {})
    sound = [path for path in paths if is_sound(path, skipped)]
    # Of a folder of classes, images of all of them.
    some = np.linspace(0, len(sound) - 1, min(FLAGS.limit, len(sound)))
    sound = [sound[number] for number in some.astype(int)]
    for what in skipped:
        print(f"Left out: {what}")
    if len(sound) < 9:
        raise app.UsageError(
            f"{FLAGS.photos} must hold at least nine images. "
            f"Received: {len(sound)}"
        )
    data = tf.data.Dataset.from_tensor_slices(
        # Names of files need not be text.
        [os.fsencode(path) for path in sound]
    )

    def load(path):
        return cropped(decode(tf.io.read_file(path), path), model)

    data = data.map(load, num_parallel_calls=tf.data.AUTOTUNE)
    return data.batch(32).prefetch(1), len(sound)


def is_sound(path, skipped):
    """Whether an image can be decoded; `skipped` gets those that cannot."""
    encoded = tf.constant(path.read_bytes())
    reason = problem(encoded, strict=False).numpy().decode()
    if reason:
        skipped.append(f"{path}: {reason}")
    return not reason


def look_at_folder(model, folder):
    """Patches, dead units and statistics of a folder of images."""
    images, count = folder_images(model)
    statistics = inspection.layer_statistics(model, images)
    visualization.plot_dead_units(statistics, folder / "dead_units.png", count)
    rows = [("layer", "mean", "std", "largest", "zeros", "dead units")]
    for name, one in statistics.items():
        dead = "" if one.dead_units is None else f"{100 * one.dead_units:.1f} %"
        rows.append(
            (
                name,
                f"{one.mean:.3g}",
                f"{one.std:.3g}",
                f"{one.largest:.3g}",
                f"{100 * one.zeros:.1f} %",
                dead,
            )
        )
    table = text_table(rows, "<>")
    for name, effect in inspection.lrn_effect(model, images).items():
        table += (
            f"\n{name} takes away {100 * effect.mean:.1f} % on average, "
            f"{100 * effect.largest:.1f} % at most"
        )
    (folder / "statistics.txt").write_text(f"{table}\n")
    print(f"{count} images\n{table}")
    for layer in FLAGS.layers or conv_names(model):
        width = model.get_layer(layer).output.shape[-1]
        # Spread over the layer, and so over its columns.
        channels = np.linspace(0, width - 1, min(FLAGS.maps, width))
        found = inspection.top_patches(
            model, images, layer, channels.astype(int).tolist()
        )
        visualization.plot_top_patches(found, folder / f"patches_{layer}.png")


def main(arguments):
    paths = arguments[1:]
    if not paths:
        raise app.UsageError("Name at least one photo.")
    stems = [pathlib.Path(path).stem for path in paths]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise app.UsageError(
            "Each photo gets a folder of its name. Rename one, or look at "
            f"them one after the other with an --output each: {twice[0]}"
        )
    model = shared_flags.network()
    names = class_names(model.output_shape[-1])
    output = pathlib.Path(FLAGS.output)
    output.mkdir(parents=True, exist_ok=True)
    look_at_network(model, output)
    sliding = None
    if is_chain(model) and not model.architecture.unshared:
        sliding = to_fully_convolutional(model)
    failed = 0
    for path in paths:
        photo = read_photo(path)
        if photo is None:
            failed += 1
            continue
        folder = output / pathlib.Path(path).stem
        folder.mkdir(exist_ok=True)
        look_at_photo(model, sliding, photo, names, folder)
    if FLAGS.photos:
        look_at_folder(model, output)
    return 1 if failed else 0


if __name__ == "__main__":
    app.run(main)
