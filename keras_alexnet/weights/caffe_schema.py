"""Field numbers of Caffe's messages, as far as a network of this family goes.

From `src/caffe/proto/caffe.proto`. Fields that are not listed are skipped.
"""

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
CONVOLUTION = {
    1: ("num_output", "int"),
    2: ("bias_term", "int"),
    3: ("pad", "int"),
    4: ("kernel_size", "int"),
    5: ("group", "int"),
    6: ("stride", "int"),
    9: ("pad_h", "int"),
    10: ("pad_w", "int"),
    13: ("stride_h", "int"),
    14: ("stride_w", "int"),
    18: ("dilation", "int"),
}
INNER_PRODUCT = {
    1: ("num_output", "int"),
    2: ("bias_term", "int"),
    6: ("transpose", "int"),
}
LRN = {
    1: ("local_size", "int"),
    2: ("alpha", "float"),
    3: ("beta", "float"),
    4: ("norm_region", "int"),
    5: ("k", "float"),
}
POOLING = {
    1: ("pool", "int"),
    2: ("kernel_size", "int"),
    3: ("stride", "int"),
    4: ("pad", "int"),
    5: ("kernel_h", "int"),
    6: ("kernel_w", "int"),
    7: ("stride_h", "int"),
    8: ("stride_w", "int"),
    9: ("pad_h", "int"),
    10: ("pad_w", "int"),
    12: ("global_pooling", "int"),
    13: ("round_mode", "int"),
}
RELU = {1: ("negative_slope", "float")}
DROPOUT = {1: ("dropout_ratio", "float")}
INPUT = {1: ("shape", BLOB_SHAPE)}
TRANSFORMATION = {3: ("crop_size", "int")}
LAYER = {
    1: ("name", "string"),
    2: ("type", "string"),
    3: ("bottom", "string"),
    4: ("top", "string"),
    7: ("blobs", BLOB),
    100: ("transform_param", TRANSFORMATION),
    106: ("convolution_param", CONVOLUTION),
    108: ("dropout_param", DROPOUT),
    117: ("inner_product_param", INNER_PRODUCT),
    118: ("lrn_param", LRN),
    121: ("pooling_param", POOLING),
    123: ("relu_param", RELU),
    143: ("input_param", INPUT),
}
# The first generation: everything flat, and padding a layer of its own.
V0_LAYER = {
    1: ("name", "string"),
    2: ("type", "string"),
    3: ("num_output", "int"),
    7: ("pad", "int"),
    8: ("kernel_size", "int"),
    9: ("group", "int"),
    10: ("stride", "int"),
    11: ("pool", "int"),
    12: ("dropout_ratio", "float"),
    13: ("local_size", "int"),
    14: ("alpha", "float"),
    15: ("beta", "float"),
    20: ("crop_size", "int"),
    22: ("k", "float"),
    50: ("blobs", BLOB),
}
V1_LAYER = {
    1: ("layer", V0_LAYER),
    2: ("bottom", "string"),
    3: ("top", "string"),
    4: ("name", "string"),
    5: ("type", "int"),
    6: ("blobs", BLOB),
    10: ("convolution_param", CONVOLUTION),
    12: ("dropout_param", DROPOUT),
    17: ("inner_product_param", INNER_PRODUCT),
    18: ("lrn_param", LRN),
    19: ("pooling_param", POOLING),
    30: ("relu_param", RELU),
    36: ("transform_param", TRANSFORMATION),
}
NET = {
    1: ("name", "string"),
    2: ("layers", V1_LAYER),
    4: ("input_dim", "int"),
    8: ("input_shape", BLOB_SHAPE),
    100: ("layer", LAYER),
}
