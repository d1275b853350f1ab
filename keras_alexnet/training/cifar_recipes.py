"""How the author trained his networks for CIFAR-10."""

import dataclasses

from keras_alexnet.training.recipe import Recipe

# layer-params-*.cfg: epsW=0.001, epsB=0.002, mom=0.9 everywhere. Images are
# shown whole and as they are; decay is each layer's own.
_COMMON = Recipe(
    name="cifar_common",
    learning_rate=0.001,
    weight_decay=0.0,
    schedule="steps",
    crop="center",
    flip=False,
    color_sigma=0.0,
)

# layer-params-80sec.cfg: "reduce the learning rate after 8 epochs by a factor
# of 10". How long to go on then is ours.
CIFAR_26 = dataclasses.replace(
    _COMMON,
    name="cifar_26",
    epochs=10,
    milestones=(8 / 10,),
    weight_decays=(
        ("conv1", 0.004),
        ("conv2", 0.004),
        ("conv3", 0.004),
        ("fc6", 0.03),
        ("fc7", 0.03),
    ),
)

# layer-params-18pct.cfg: "by factor of 10 after 120 epochs. Then another
# factor of 10 after 10 more epochs". The last 10 are ours.
CIFAR_18 = dataclasses.replace(
    _COMMON,
    name="cifar_18",
    epochs=140,
    milestones=(120 / 140, 130 / 140),
    weight_decays=(
        ("conv1", 0.004),
        ("conv2", 0.004),
        ("conv3", 0.004),
        ("fc6", 1.0),
    ),
)

# layer-params-19pct.cfg names no schedule; this is the 18 % net's.
CIFAR_19 = dataclasses.replace(
    CIFAR_18,
    name="cifar_19",
    weight_decays=CIFAR_18.weight_decays[:3] + (("fc6", 3.0),),
)

# The same file: "Set wc to 0 for translations -- 14.2%".
CIFAR_19_CROPS = dataclasses.replace(
    CIFAR_19,
    name="cifar_19_crops",
    crop="random",
    flip=True,
    weight_decays=(),
)

# layer-params-conv-local-13pct.cfg and docs/Methodology.md: 100 epochs of four
# batches and 40 of five, then 10 each at a tenth and a hundredth of the rate.
CIFAR_13 = dataclasses.replace(
    _COMMON,
    name="cifar_13",
    epochs=160,
    milestones=(140 / 160, 150 / 160),
    crop="random",
    flip=True,
    weight_decays=(("conv3", 0.004), ("conv4", 0.004), ("fc6", 0.004)),
)

# cuda-convnet2 layers/layer-params-cifar10-11pct.cfg: 350 epochs of four
# batches, 150 of five, then 10 and 10.
CIFAR_11 = dataclasses.replace(
    CIFAR_13,
    name="cifar_11",
    epochs=520,
    milestones=(500 / 520, 510 / 520),
    weight_decays=(("conv3", 0.004), ("conv4", 0.004), ("fc6", 0.01)),
)

# Caption of Figure 1: "No regularization of any kind was employed." The rate
# was chosen for each network.
FIGURE_1 = dataclasses.replace(
    _COMMON, name="figure_1", epochs=60, schedule="constant"
)

CIFAR_RECIPES = {
    recipe.name: recipe
    for recipe in (
        CIFAR_26,
        CIFAR_19,
        CIFAR_19_CROPS,
        CIFAR_18,
        CIFAR_13,
        CIFAR_11,
        FIGURE_1,
    )
}
