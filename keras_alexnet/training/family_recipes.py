"""How AlexNet's successors were trained, each with its source."""

import dataclasses

from keras_alexnet.training.recipe import Recipe

# Zeiler and Fergus, 2014, section 3.1. `ZFNET` has the initialization, and
# the limit of its filters.
ZFNET_RECIPE = Recipe(
    name="zfnet",
    # "stopped training after 70 epochs".
    epochs=70,
    # "a learning rate of 10^-2 ... We anneal the learning rate throughout
    # training manually when the validation error plateaus."
    learning_rate=0.01,
    # None is mentioned, nor is another rate of the biases.
    weight_decay=0.0,
    bias_multiplier=1.0,
    # "10 different sub-crops of size 224x224 (corners + center with(out)
    # horizontal flips)".
    crop="corners",
    flip=True,
    color_sigma=0.0,
)

# Simonyan and Zisserman, 2015, section 3.1, at one scale: S = 256.
VGG_RECIPE = Recipe(
    name="vgg",
    batch_size=256,
    # "370K iterations (74 epochs)".
    epochs=74,
    learning_rate=0.01,
    weight_decay=5e-4,
)

# The same with S in [256, 512], which goes on from S = 384. The rate is that
# with which training at 384 went on from 256; the paper gives no other.
VGG_JITTERED_RECIPE = dataclasses.replace(
    VGG_RECIPE,
    name="vgg_jittered",
    learning_rate=1e-3,
    scales=(256 / 224, 512 / 224),
)

# models/bvlc_googlenet/quick_solver.prototxt and train_val.prototxt of Caffe:
# 2,400,000 steps of 32 images. The paper's own recipe is not published in
# full; its averaged weights are `train(..., keep="average")`.
GOOGLENET_RECIPE = Recipe(
    name="googlenet",
    batch_size=32,
    # readme.md: 60 epochs.
    epochs=60,
    learning_rate=0.01,
    schedule="poly",
    power=0.5,
    weight_decay=2e-4,
    # readme.md: no relighting.
    color_sigma=0.0,
)

FAMILY_RECIPES = {
    recipe.name: recipe
    for recipe in (
        ZFNET_RECIPE,
        VGG_RECIPE,
        VGG_JITTERED_RECIPE,
        GOOGLENET_RECIPE,
    )
}
