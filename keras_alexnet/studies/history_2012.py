"""What the author of the network tried, and what the paper and he report."""

# What the author tried, in his order, with alpha divided by n as his code
# does (layers/layers-*.cfg and layer-params-*.cfg of the 2012 code).
NORMS = (
    # #100; the window's size is that of #106, not long after.
    {"n": 9, "k": 1.0, "alpha": 1e-3, "beta": 0.25, "order1": "after pooling"},
    # #106.
    {"n": 9, "k": 1.0, "alpha": 1e-4, "beta": 0.75, "order1": "after pooling"},
    # #120.
    {"n": 5, "k": 1.0, "alpha": 1e-4, "beta": 0.75, "order1": "after pooling"},
    # #131.
    {"n": 5, "k": 1.0, "alpha": 1e-4, "beta": 0.75, "order1": "before relu"},
    # #134.
    {"n": 5, "k": 0.25, "alpha": 1e-4, "beta": 0.75, "order1": "before relu"},
    # #135, and #145: the published network.
    {"n": 5, "k": 2.0, "alpha": 1e-4, "beta": 0.75, "order1": "before relu"},
    # #148.
    {"norms": "none"},
    # #166.
    {
        "n": 5,
        "k": 2.0,
        "alpha": 1e-4,
        "beta": 0.75,
        "order1": "before relu",
        "order2": "before relu",
    },
    # #167.
    {
        "norms": "conv1",
        "n": 5,
        "k": 2.0,
        "alpha": 1e-4,
        "beta": 0.75,
        "order1": "before relu",
    },
)

# Layers that see both columns: #145, #127, #132, #128.
CONNECTIONS = (
    ("conv3", "fc6", "fc7"),
    ("fc6", "fc7"),
    ("conv4", "fc6", "fc7"),
    ("conv3", "conv4", "fc6", "fc7"),
)

# Effects of leaving something out, in points of top-1 and top-5 error: as the
# paper prints them, and from the logs of the 2012 code.
PAPER_EFFECTS = {
    # Section 3.3.
    "no LRN": "+1.4 / +1.2",
    # Section 3.4.
    "no overlap in pooling": "+0.4 / +0.3",
    # Section 3.2.
    "one column of half width": "+1.7 / +1.2",
    # Section 4.1: "over 1%".
    "no PCA color noise": "> +1",
    # Section 7: "removing any of the middle layers".
    "no conv2": "about +2",
    "no conv3": "about +2",
    "no conv4": "about +2",
}

LOGGED_EFFECTS = {
    # #148 against #145; without the norm within maps, too.
    "no LRN": "+1.37 / +1.15",
    # #167 against the mean of #169, #170, #171 and #174.
    "LRN1 only": "-0.01 / +0.04",
    # #147 against #145.
    "no overlap in pooling": "+0.39 / +0.30",
    # #145-half against #145 on ILSVRC-2010.
    "one column of half width": "+1.70 / +1.23",
    # #150, with a wider conv2 and fc6, against #145.
    "no crossing at conv3": "+1.17 / +1.12",
}
