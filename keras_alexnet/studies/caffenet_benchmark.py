"""What others have found on all of ImageNet, at a smaller size.

The figures are of caffenet-benchmark (github.com/ducha-aiki), an independent
study of CaffeNet without norms, at 128 pixels and with half the fully
connected units: accuracy of the center view on the validation images of 2012,
single runs.
"""

# Accuracies of pairs of networks that differ in the change alone: with what
# the paper has, and with the change. Activations.md, batchnorm.md.
_PAIRS = {
    "tanh for ReLU": (0.471, 0.401),
    "no LRN": (0.470, 0.471),
    "batch norm for LRN": (0.470, 0.499),
}

# In points of top-1 error.
OTHERS_EFFECTS = {
    name: f"{100 * (paper - changed):+.1f}"
    for name, (paper, changed) in _PAIRS.items()
}

# Accuracies by the share of the training images, and by the factor of all
# widths: Dataset_size.md, Complexity.md.
OTHERS_SIZES = {
    "share": {
        200 / 1200: 0.305,
        400 / 1200: 0.393,
        600 / 1200: 0.425,
        800 / 1200: 0.438,
        1.0: 0.471,
    },
    "width": {
        1 / 4: 0.256,
        1 / 8**0.5: 0.318,
        1 / 2: 0.416,
        1 / 2**0.5: 0.460,
        1.0: 0.471,
        2**0.5: 0.506,
        2.0: 0.533,
        8**0.5: 0.552,
        4.0: 0.563,
        32**0.5: 0.565,
    },
}
