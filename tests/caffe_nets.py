"""Published Caffe networks, narrow or whole: prototxt and random weights.

The text is written here, the weights by Google's protobuf runtime; nothing of
the package is used.
"""

import math

import caffe_files
import numpy as np
from google.protobuf import text_format


class Net:
    """Writes layers one after the other, with weights of a fitting scale."""

    def __init__(self, name, size, channels=3, width=1.0, seed=0):
        self.text = (
            f'name: "{name}"\nlayer {{\n  name: "data"  # the image\n'
            '  type: "Input"\n  top: "data"\n  input_param { shape: { dim: 1 '
            f"dim: {channels} dim: {size} dim: {size} }} }}\n}}\n"
        )
        self.blobs = {}
        self.shapes = {"data": (channels, size)}
        self.compared = []
        self.width = width
        self._random = np.random.default_rng(seed)

    def layer(self, name, kind, bottoms, top, shape, param=""):
        bottoms = [bottoms] if isinstance(bottoms, str) else bottoms
        lines = [f'name: "{name}"', f'type: "{kind}"']
        lines += [f'bottom: "{bottom}"' for bottom in bottoms]
        lines += [f'top: "{top}"', param]
        body = "".join(f"  {line}\n" for line in lines if line)
        self.text += f"layer {{\n{body}}}\n"
        self.shapes[top] = shape
        # In place the blob of the layer before is overwritten.
        self.compared = [n for n in self.compared if n != top]
        self.compared.append(name)
        return top

    def conv(
        self, name, bottom, filters, k, s=1, p=0, group=1, relu=None, bias=True
    ):
        channels, size = self.shapes[bottom]
        filters = self.scaled(filters, group)
        size = (size + 2 * p - k) // s + 1
        shape = (filters, channels // group, k, k)
        self.random_weights(name, shape, math.prod(shape[1:]), bias)
        param = f"convolution_param {{ num_output: {filters} kernel_size: {k}"
        param += f" stride: {s}" * (s != 1) + f" pad: {p}" * (p != 0)
        param += f" group: {group}" * (group != 1)
        param += " bias_term: false" * (not bias) + " }"
        self.layer(name, "Convolution", bottom, name, (filters, size), param)
        if relu:
            self.layer(relu, "ReLU", name, name, self.shapes[name])
        return name

    def dense(self, name, bottom, units, relu=None, dropout=None):
        inputs = self.shapes[bottom][0] * self.shapes[bottom][1] ** 2
        self.random_weights(name, (units, inputs), inputs, True)
        param = f"inner_product_param {{ num_output: {units} }}"
        self.layer(name, "InnerProduct", bottom, name, (units, 1), param)
        if relu:
            self.layer(relu, "ReLU", name, name, self.shapes[name])
        if dropout:
            param = "dropout_param { dropout_ratio: 0.5 }"
            self.layer(dropout, "Dropout", name, name, (units, 1), param)
        return name

    def pool(self, name, bottom, k, s=1, p=0, kind="MAX"):
        channels, size = self.shapes[bottom]
        out = math.ceil((size + 2 * p - k) / s) + 1
        if p and (out - 1) * s >= size + p:
            out -= 1
        param = f"pooling_param {{ pool: {kind} kernel_size: {k} stride: {s}"
        param += f" pad: {p}" * (p != 0) + " }"
        return self.layer(name, "Pooling", bottom, name, (channels, out), param)

    def global_pool(self, name, bottom, kind="AVE"):
        param = f"pooling_param {{ pool: {kind} global_pooling: true }}"
        shape = (self.shapes[bottom][0], 1)
        return self.layer(name, "Pooling", bottom, name, shape, param)

    def lrn(self, name, bottom, param="local_size: 5 alpha: 1e-2 beta: 0.75"):
        shape = self.shapes[bottom]
        return self.layer(
            name, "LRN", bottom, name, shape, f"lrn_param {{ {param} }}"
        )

    def concat(self, name, bottoms):
        channels = sum(self.shapes[bottom][0] for bottom in bottoms)
        shape = (channels, self.shapes[bottoms[0]][1])
        return self.layer(name, "Concat", bottoms, name, shape)

    def add(self, name, bottoms, param=""):
        shape = self.shapes[bottoms[0]]
        return self.layer(name, "Eltwise", bottoms, name, shape, param)

    def norm(self, name, scale, blob, eps=""):
        channels = self.shapes[blob][0]
        random = self._random
        total = np.float32(999.9)
        self.blobs[name] = [
            random.normal(0, 0.5, channels).astype("float32") * total,
            random.uniform(0.5, 2, channels).astype("float32") * total,
            total.reshape(1),
        ]
        param = "batch_norm_param { use_global_stats: true" + eps + " }"
        self.layer(name, "BatchNorm", blob, blob, self.shapes[blob], param)
        # In Keras it is one layer with the next.
        self.compared.remove(name)
        self.scale(scale, blob)

    def scale(self, name, blob):
        random, channels = self._random, self.shapes[blob][0]
        self.blobs[name] = [
            random.uniform(0.5, 1.5, channels).astype("float32"),
            random.normal(0, 0.2, channels).astype("float32"),
        ]
        param = "scale_param { bias_term: true }"
        self.layer(name, "Scale", blob, blob, self.shapes[blob], param)

    def softmax(self, bottom, name="prob"):
        return self.layer(name, "Softmax", bottom, name, self.shapes[bottom])

    def random_weights(self, name, shape, inputs, bias):
        std = math.sqrt(2 / inputs)
        draw = self._random.standard_normal
        self.blobs[name] = [draw(shape, "float32") * np.float32(std)]
        if bias:
            bias = draw(shape[0], "float32") * np.float32(0.1)
            self.blobs[name].append(bias)

    def scaled(self, filters, unit=1):
        return max(1, round(filters * self.width / unit)) * unit

    def save(self, folder, whole=False):
        """Writes `net.prototxt` and `net.caffemodel`; returns both paths.

        Args:
            whole: Whether the weights' file has the whole network in it, too,
                as Caffe's snapshots have.
        """
        message = caffe_files.message("NetParameter")(name="weights")
        if whole:
            message.ClearField("name")
            text_format.Parse(self.text, message)
        layers = {layer.name: layer for layer in message.layer}
        for name, arrays in self.blobs.items():
            layer = layers.get(name)
            if layer is None:
                layer = message.layer.add(name=name, type="unknown here")
            for array in arrays:
                blob = layer.blobs.add(data=array.ravel())
                blob.shape.dim.extend(array.shape)
        weights = folder / "net.caffemodel"
        weights.write_bytes(message.SerializeToString())
        prototxt = folder / "net.prototxt"
        prototxt.write_text(self.text)
        return prototxt, weights


def alexnet(size=99, width=1 / 8, units=64, classes=10, caffenet=False):
    """bvlc_alexnet, or bvlc_reference_caffenet with pooling before LRN."""
    net = Net("caffenet" if caffenet else "alexnet", size, width=width)
    x = net.conv("conv1", "data", 96, 11, 4, relu="relu1")
    for number in (1, 2):
        if number == 2:
            x = net.conv("conv2", x, 256, 5, p=2, group=2, relu="relu2")
        if caffenet:
            x = net.lrn(f"norm{number}", net.pool(f"pool{number}", x, 3, 2))
        else:
            x = net.pool(f"pool{number}", net.lrn(f"norm{number}", x), 3, 2)
    x = net.conv("conv3", x, 384, 3, p=1, relu="relu3")
    x = net.conv("conv4", x, 384, 3, p=1, group=2, relu="relu4")
    x = net.conv("conv5", x, 256, 3, p=1, group=2, relu="relu5")
    x = net.pool("pool5", x, 3, 2)
    return _classifier(net, x, units, classes)


def zfnet(size=99, width=1 / 8, units=64, classes=10):
    """ZFNet as Caffe can have it: no padding, pooling rounded up."""
    net = Net("zfnet", size, width=width)
    x = net.conv("conv1", "data", 96, 7, 2, relu="relu1")
    x = net.lrn("norm1", net.pool("pool1", x, 3, 2))
    x = net.conv("conv2", x, 256, 5, 2, relu="relu2")
    x = net.lrn("norm2", net.pool("pool2", x, 3, 2))
    x = net.conv("conv3", x, 384, 3, p=1, relu="relu3")
    x = net.conv("conv4", x, 384, 3, p=1, relu="relu4")
    x = net.conv("conv5", x, 256, 3, p=1, relu="relu5")
    x = net.pool("pool5", x, 3, 2)
    return _classifier(net, x, units, classes)


VGG_BLOCKS = {
    "A": (1, 1, 2, 2, 2),
    "A-LRN": (1, 1, 2, 2, 2),
    "B": (2, 2, 2, 2, 2),
    "C": (2, 2, 3, 3, 3),
    "D": (2, 2, 3, 3, 3),
    "E": (2, 2, 4, 4, 4),
}


def vgg(letter, size=32, width=1 / 16, units=64, classes=10):
    """VGG A to E; C has 1 x 1 convolutions."""
    net = Net(f"VGG_{letter}", size, width=width)
    x = "data"
    filters = (64, 128, 256, 512, 512)
    for block, count in enumerate(VGG_BLOCKS[letter], 1):
        for index in range(1, count + 1):
            k = 1 if letter == "C" and index == 3 else 3
            name = f"{block}_{index}"
            x = net.conv(
                f"conv{name}",
                x,
                filters[block - 1],
                k,
                p=k // 2,
                relu=f"relu{name}",
            )
            if letter == "A-LRN" and block == 1:
                x = net.lrn("norm1_1", x)
        x = net.pool(f"pool{block}", x, 2, 2)
    return _classifier(net, x, units, classes)


INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def googlenet(size=96, width=1 / 8, classes=10, auxiliary=False):
    """bvlc_googlenet; by default of the deploy file, without heads."""
    net = Net("GoogleNet", size, width=width)
    x = net.conv("conv1/7x7_s2", "data", 64, 7, 2, 3, relu="conv1/relu_7x7")
    x = net.lrn("pool1/norm1", net.pool("pool1/3x3_s2", x, 3, 2))
    x = net.conv("conv2/3x3_reduce", x, 64, 1, relu="conv2/relu_3x3_reduce")
    x = net.conv("conv2/3x3", x, 192, 3, p=1, relu="conv2/relu_3x3")
    x = net.pool("pool2/3x3_s2", net.lrn("conv2/norm2", x), 3, 2)
    for name, counts in INCEPTIONS.items():
        x = _inception(net, f"inception_{name}", x, counts)
        if name in ("3b", "4e"):
            x = net.pool(f"pool{3 + (name == '4e')}/3x3_s2", x, 3, 2)
        if auxiliary and name in ("4a", "4d"):
            _head(net, f"loss{1 + (name == '4d')}", x, classes)
    x = net.pool("pool5/7x7_s1", x, net.shapes[x][1], 1, kind="AVE")
    param = "dropout_param { dropout_ratio: 0.4 }"
    x = net.layer("pool5/drop_7x7_s1", "Dropout", x, x, net.shapes[x], param)
    x = net.dense("loss3/classifier", x, classes)
    net.softmax(x)
    return net


def _inception(net, name, x, counts):
    ones, reduce3, threes, reduce5, fives, pooled = counts

    def conv(part, bottom, filters, k):
        return net.conv(
            f"{name}/{part}",
            bottom,
            filters,
            k,
            p=k // 2,
            relu=f"{name}/relu_{part}",
        )

    branches = [
        conv("1x1", x, ones, 1),
        conv("3x3", conv("3x3_reduce", x, reduce3, 1), threes, 3),
        conv("5x5", conv("5x5_reduce", x, reduce5, 1), fives, 5),
        conv("pool_proj", net.pool(f"{name}/pool", x, 3, 1, 1), pooled, 1),
    ]
    return net.concat(f"{name}/output", branches)


def _head(net, name, x, classes):
    x = net.pool(f"{name}/ave_pool", x, 5, 3, kind="AVE")
    x = net.conv(f"{name}/conv", x, 128, 1, relu=f"{name}/relu_conv")
    x = net.dense(f"{name}/fc", x, 1024, f"{name}/relu_fc", f"{name}/drop_fc")
    net.softmax(net.dense(f"{name}/classifier", x, classes), f"{name}/prob")


def nin(size=99, width=1 / 8, classes=10):
    """Network in Network for ImageNet: no dense layer, global pooling."""
    net = Net("nin_imagenet", size, width=width)
    x, classes_of = "data", {"cccp8": classes / width}
    for number, (filters, k, s, p) in enumerate(
        ((96, 11, 4, 0), (256, 5, 1, 2), (384, 3, 1, 1), (1024, 3, 1, 1)), 1
    ):
        first = f"conv{number}" if number < 4 else "conv4-1024"
        x = net.conv(first, x, filters, k, s, p, relu=f"relu_{number}")
        for index in (1, 2):
            name = f"cccp{2 * number - 2 + index}"
            count = classes_of.get(name, filters)
            x = net.conv(name, x, count, 1, relu=f"relu_{name}")
        if number == 3:
            param = "dropout_param { dropout_ratio: 0.5 }"
            pooled = net.pool("pool3", x, 3, 2)
            x = net.layer(
                "drop", "Dropout", pooled, pooled, net.shapes[pooled], param
            )
        elif number < 3:
            x = net.pool(f"pool{number}", x, 3, 2)
    net.softmax(net.global_pool("pool4", x))
    return net


def resnet50(size=64, width=1 / 8, classes=10, blocks=(3, 4, 6, 3)):
    """Kaiming's ResNet-50-deploy.prototxt."""
    net = Net("ResNet-50", size, width=width)
    x = net.conv("conv1", "data", 64, 7, 2, 3)
    net.norm("bn_conv1", "scale_conv1", x)
    net.layer("conv1_relu", "ReLU", x, x, net.shapes[x])
    x = net.pool("pool1", x, 3, 2)
    for stage, count in enumerate(blocks, 2):
        for index in range(count):
            name = f"{stage}{'abcdef'[index]}"
            stride = 2 if stage > 2 and index == 0 else 1
            x = _residual(net, name, x, 64 * 2 ** (stage - 2), stride)
    x = net.pool("pool5", x, net.shapes[x][1], 1, kind="AVE")
    net.softmax(net.dense("fc1000", x, classes))
    return net


def _residual(net, name, x, filters, stride):
    def conv(branch, bottom, count, k, s, relu):
        y = net.conv(
            f"res{name}_{branch}", bottom, count, k, s, k // 2, bias=False
        )
        net.norm(f"bn{name}_{branch}", f"scale{name}_{branch}", y)
        if relu:
            net.layer(f"{y}_relu", "ReLU", y, y, net.shapes[y])
        return y

    shortcut = x
    if name.endswith("a"):
        shortcut = conv("branch1", x, 4 * filters, 1, stride, False)
    y = conv("branch2a", x, filters, 1, stride, True)
    y = conv("branch2b", y, filters, 3, 1, True)
    y = conv("branch2c", y, 4 * filters, 1, 1, False)
    y = net.add(f"res{name}", [shortcut, y])
    net.layer(f"res{name}_relu", "ReLU", y, y, net.shapes[y])
    return y


def _classifier(net, x, units, classes):
    x = net.dense("fc6", x, units, "relu6", "drop6")
    x = net.dense("fc7", x, units, "relu7", "drop7")
    net.softmax(net.dense("fc8", x, classes))
    return net
