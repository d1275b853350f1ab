"""Fields of Caffe's messages, as far as the networks of this package go.

From `src/caffe/proto/caffe.proto`. In binary files, fields that are not listed
are skipped. In text files they are skipped if they stand in `SKIPPED`, and are
errors otherwise, as in Caffe. A tuple holds the names of an enumeration's
values, 0 first.
"""

PHASES = ("TRAIN", "TEST")
BLOB_SHAPE = {1: ("dim", "int")}
BLOB = {
    1: ("num", "int"),
    2: ("channels", "int"),
    3: ("height", "int"),
    4: ("width", "int"),
    5: ("data", "floats"),
    7: ("shape", BLOB_SHAPE),
    8: ("double_data", "doubles"),
}
RULE = {
    1: ("phase", PHASES),
    2: ("min_level", "int"),
    3: ("max_level", "int"),
    4: ("stage", "string"),
    5: ("not_stage", "string"),
}
BATCH_NORM = {
    1: ("use_global_stats", "bool"),
    2: ("moving_average_fraction", "float"),
    3: ("eps", "float"),
}
CONCAT = {1: ("concat_dim", "int"), 2: ("axis", "int")}
CONVOLUTION = {
    1: ("num_output", "int"),
    2: ("bias_term", "bool"),
    3: ("pad", "int"),
    4: ("kernel_size", "int"),
    5: ("group", "int"),
    6: ("stride", "int"),
    9: ("pad_h", "int"),
    10: ("pad_w", "int"),
    11: ("kernel_h", "int"),
    12: ("kernel_w", "int"),
    13: ("stride_h", "int"),
    14: ("stride_w", "int"),
    16: ("axis", "int"),
    18: ("dilation", "int"),
}
ELTWISE = {
    1: ("operation", ("PROD", "SUM", "MAX")),
    2: ("coeff", "float"),
}
FLATTEN = {1: ("axis", "int"), 2: ("end_axis", "int")}
INNER_PRODUCT = {
    1: ("num_output", "int"),
    2: ("bias_term", "bool"),
    5: ("axis", "int"),
    6: ("transpose", "bool"),
}
LRN = {
    1: ("local_size", "int"),
    2: ("alpha", "float"),
    3: ("beta", "float"),
    4: ("norm_region", ("ACROSS_CHANNELS", "WITHIN_CHANNEL")),
    5: ("k", "float"),
}
POOLING = {
    1: ("pool", ("MAX", "AVE", "STOCHASTIC")),
    2: ("kernel_size", "int"),
    3: ("stride", "int"),
    4: ("pad", "int"),
    5: ("kernel_h", "int"),
    6: ("kernel_w", "int"),
    7: ("stride_h", "int"),
    8: ("stride_w", "int"),
    9: ("pad_h", "int"),
    10: ("pad_w", "int"),
    12: ("global_pooling", "bool"),
    13: ("round_mode", ("CEIL", "FLOOR")),
}
RELU = {1: ("negative_slope", "float")}
DROPOUT = {1: ("dropout_ratio", "float")}
INPUT = {1: ("shape", BLOB_SHAPE)}
SCALE = {
    1: ("axis", "int"),
    2: ("num_axes", "int"),
    4: ("bias_term", "bool"),
}
SOFTMAX = {2: ("axis", "int")}
TRANSFORMATION = {
    1: ("scale", "float"),
    3: ("crop_size", "int"),
    5: ("mean_value", "float"),
}
LAYER = {
    1: ("name", "string"),
    2: ("type", "string"),
    3: ("bottom", "string"),
    4: ("top", "string"),
    7: ("blobs", BLOB),
    8: ("include", RULE),
    9: ("exclude", RULE),
    100: ("transform_param", TRANSFORMATION),
    104: ("concat_param", CONCAT),
    106: ("convolution_param", CONVOLUTION),
    108: ("dropout_param", DROPOUT),
    110: ("eltwise_param", ELTWISE),
    117: ("inner_product_param", INNER_PRODUCT),
    118: ("lrn_param", LRN),
    121: ("pooling_param", POOLING),
    123: ("relu_param", RELU),
    125: ("softmax_param", SOFTMAX),
    135: ("flatten_param", FLATTEN),
    139: ("batch_norm_param", BATCH_NORM),
    142: ("scale_param", SCALE),
    143: ("input_param", INPUT),
}
# The first generation: everything flat, and padding a layer of its own.
V0_LAYER = {
    1: ("name", "string"),
    2: ("type", "string"),
    3: ("num_output", "int"),
    4: ("bias_term", "bool"),
    7: ("pad", "int"),
    8: ("kernel_size", "int"),
    9: ("group", "int"),
    10: ("stride", "int"),
    11: ("pool", ("MAX", "AVE", "STOCHASTIC")),
    12: ("dropout_ratio", "float"),
    13: ("local_size", "int"),
    14: ("alpha", "float"),
    15: ("beta", "float"),
    17: ("scale", "float"),
    20: ("crop_size", "int"),
    22: ("k", "float"),
    50: ("blobs", BLOB),
    65: ("concat_dim", "int"),
}
# V1LayerParameter.LayerType: the names in text, and those of today.
V1_TYPES = {
    "NONE": "None",
    "ACCURACY": "Accuracy",
    "BNLL": "BNLL",
    "CONCAT": "Concat",
    "CONVOLUTION": "Convolution",
    "DATA": "Data",
    "DROPOUT": "Dropout",
    "EUCLIDEAN_LOSS": "EuclideanLoss",
    "FLATTEN": "Flatten",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "IM2COL": "Im2col",
    "IMAGE_DATA": "ImageData",
    "INFOGAIN_LOSS": "InfogainLoss",
    "INNER_PRODUCT": "InnerProduct",
    "LRN": "LRN",
    "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss",
    "POOLING": "Pooling",
    "RELU": "ReLU",
    "SIGMOID": "Sigmoid",
    "SOFTMAX": "Softmax",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "SPLIT": "Split",
    "TANH": "TanH",
    "WINDOW_DATA": "WindowData",
    "ELTWISE": "Eltwise",
    "POWER": "Power",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss",
    "HINGE_LOSS": "HingeLoss",
    "MEMORY_DATA": "MemoryData",
    "ARGMAX": "ArgMax",
    "THRESHOLD": "Threshold",
    "DUMMY_DATA": "DummyData",
    "SLICE": "Slice",
    "MVN": "MVN",
    "ABSVAL": "AbsVal",
    "SILENCE": "Silence",
    "CONTRASTIVE_LOSS": "ContrastiveLoss",
    "EXP": "Exp",
    "DECONVOLUTION": "Deconvolution",
}
V1_LAYER = {
    1: ("layer", V0_LAYER),
    2: ("bottom", "string"),
    3: ("top", "string"),
    4: ("name", "string"),
    5: ("type", tuple(V1_TYPES)),
    6: ("blobs", BLOB),
    9: ("concat_param", CONCAT),
    10: ("convolution_param", CONVOLUTION),
    12: ("dropout_param", DROPOUT),
    17: ("inner_product_param", INNER_PRODUCT),
    18: ("lrn_param", LRN),
    19: ("pooling_param", POOLING),
    24: ("eltwise_param", ELTWISE),
    30: ("relu_param", RELU),
    32: ("include", RULE),
    33: ("exclude", RULE),
    36: ("transform_param", TRANSFORMATION),
    39: ("softmax_param", SOFTMAX),
}
NET = {
    1: ("name", "string"),
    2: ("layers", V1_LAYER),
    3: ("input", "string"),
    4: ("input_dim", "int"),
    8: ("input_shape", BLOB_SHAPE),
    100: ("layer", LAYER),
}

# Fields of text files that say nothing about what a network computes: how it
# is trained, which device computes it, and where its data are.
SKIPPED = {
    *("state", "force_backward", "debug_info"),
    *("phase", "loss_weight", "param", "propagate_down"),
    *("blobs_lr", "weight_decay", "blob_share_mode"),
    *("weight_filler", "bias_filler", "filler", "engine"),
    *("force_nd_im2col", "stable_prod_grad"),
    *("mirror", "mean_file", "force_color", "force_gray"),
    *("source", "batchsize", "meanfile", "rand_skip"),
    *(
        f"{name}_param"
        for name in (
            "absval accuracy annotated_data argmax bias bnll clip "
            "contrastive_loss crop data dummy_data elu embed exp hdf5_data "
            "hdf5_output hinge_loss image_data infogain_loss log loss "
            "memory_data mvn parameter permute power prelu python recurrent "
            "reduction reshape sigmoid slice spp swish tanh threshold tile "
            "window_data"
        ).split()
    ),
}
# Names of the first generation in text files, and what they are called here.
ALIASES = {
    "biasterm": "bias_term",
    "cropsize": "crop_size",
    "kernelsize": "kernel_size",
}
# All others may be given once.
REPEATED = {
    *("bottom", "top", "include", "exclude", "stage", "not_stage"),
    *("layer", "layers", "input", "input_dim", "input_shape", "shape", "dim"),
    *("pad", "kernel_size", "stride", "dilation", "coeff", "mean_value"),
}
