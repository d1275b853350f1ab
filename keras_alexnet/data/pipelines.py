"""The paper's image pipeline: resize, crop, flip, PCA color."""

import tensorflow as tf

from keras_alexnet.autotuning import parallel_calls
from keras_alexnet.autotuning import without_autotuning
from keras_alexnet.data import crops
from keras_alexnet.data.crop_loader import crop_loader
from keras_alexnet.data.loader import check_data_arguments
from keras_alexnet.data.loader import default_resize
from keras_alexnet.data.loader import loader
from keras_alexnet.data.lookup import own_variable
from keras_alexnet.data.shares import Share
from keras_alexnet.data.shares import in_batches
from keras_alexnet.layers.pca_color_augmentation import PCAColorAugmentation


class TrainingData:
    """Augmented batches of a split, reproducible and resumable.

    Each iteration of `dataset` yields the batches of one epoch, from epoch 0
    on; `seek` says which is next, and from which step on. What is in a batch
    depends on the seed, the epoch and the step alone, so training that is
    resumed sees what unbroken training would have seen.

    Batches are `(images, labels)`: float32 RGB of `(batch, input_size,
    input_size, 3)` in 0-255, not centered, and int64 labels.

    Args:
        source: A `Source`, see `load_source`.
        split: String. Defaults to `"train"`.
        input_size: Integer, side of the crops. Defaults to `224`.
        batch_size: Integer. Defaults to `128` (section 5).
        resize: Integer, side to which the shorter side is scaled and the
            other cropped. Defaults to `256 / 224` of `input_size`.
        crop: `"random"` (over all positions), `"corners"` (one of the four
            corners and the center) or `"center"`.
        scales: Pair of integers: the shorter side is scaled to a random
            number of pixels between them, another for each image, before a
            random crop is cut (VGG's scale jittering; 256 and 512 there). In
            place of `resize`. Defaults to `None`.
        flip: Boolean. Whether to mirror half of the images. Not for digits.
            Defaults to `True`.
        color: Boolean, or a `PCAColorAugmentation` to use in place of the
            2012 one. Defaults to `True`.
        cache: `None`; or `"memory"`, or a folder, to keep the decoded and
            resized images (197 kB each at 256x256). Reading a folder's copy
            of a set larger than memory is as fast as the disk.
        drop_remainder: Boolean. Whether a last, smaller batch is left out.
            Defaults to `True`.
        seed: Integer. Defaults to `0`.

    Attributes:
        source: The `Source`.
        dataset: A `tf.data.Dataset`.
        steps_per_epoch: Integer.
        color_sigma: `tf.Variable`, the standard deviation of the color noise
            from the next epoch on; 0 switches it off.
        settings: Dict of what the batches depend on.

    Example:

    >>> from keras_alexnet.data.load_source import load_source
    >>> source = load_source("digits")
    >>> data = TrainingData(source, input_size=64, flip=False)
    >>> data.seek(epoch=3, step=10)
    >>> len(list(data.dataset)), data.steps_per_epoch
    (1, 11)

    Reference: [Krizhevsky et al., 2012](
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks),
    sections 2 and 4.1.
    """

    def __init__(
        self,
        source,
        split="train",
        input_size=224,
        batch_size=128,
        resize=None,
        crop="random",
        flip=True,
        color=True,
        cache=None,
        drop_remainder=True,
        seed=0,
        scales=None,
    ):
        if scales is not None:
            resize = _largest_scale(scales, resize, crop, input_size)
        check_data_arguments(source, input_size, resize, batch_size, cache)
        if crop not in ("random", "corners", "center"):
            raise ValueError(
                '`crop` must be "random", "corners" or "center". '
                f"Received: crop={crop!r}"
            )
        self.source = source
        self._split = source.split(split)
        self._size = input_size
        self._resize = resize or default_resize(input_size)
        self._batch_size = batch_size
        self._crop = crop
        self._scales = scales
        self._flip = flip
        self._color = PCAColorAugmentation() if color is True else color
        self._drop_remainder = drop_remainder
        self._seed = seed
        steps, rest = divmod(self._split.count, batch_size)
        self.steps_per_epoch = steps + bool(rest and not drop_remainder)
        if not self.steps_per_epoch:
            raise ValueError(
                f"`batch_size` must not exceed the {self._split.count} "
                f"examples of {split!r}. Received: batch_size={batch_size}"
            )
        sigma = self._color.sigma if self._color else 0.0
        self.color_sigma = own_variable(sigma)
        self._epoch = own_variable(tf.constant(0, tf.int64))
        self._step = own_variable(tf.constant(0, tf.int64))
        self._crops, self._load = crop_loader(
            source, split, self._resize, cache
        )
        self.settings = {
            "source": source.name,
            "fingerprint": source.fingerprint,
            "split": split,
            "examples": self._split.count,
            "classes": len(source.class_names),
            "input_size": input_size,
            "resize": self._resize,
            "batch_size": batch_size,
            "crop": crop,
            "flip": flip,
            "color_sigma": float(sigma),
            "drop_remainder": drop_remainder,
            "seed": seed,
        }
        if scales is not None:
            self.settings["scales"] = list(scales)
        self.dataset = self._build()

    @property
    def position(self):
        """Pair `(epoch, step)` at which the next iteration starts."""
        return int(self._epoch), int(self._step)

    def seek(self, epoch, step=0):
        """Makes the next iteration start at a step of an epoch.

        Args:
            epoch: Integer.
            step: Integer, batches of that epoch to leave out.
        """
        if epoch < 0 or not 0 <= step <= self.steps_per_epoch:
            raise ValueError(
                "`epoch` must not be negative and `step` must be in 0 to "
                f"{self.steps_per_epoch}. Received: epoch={epoch}, step={step}"
            )
        self._epoch.assign(epoch)
        self._step.assign(step)

    def share(self, pipelines, pipeline, replicas=None):
        """The rows of each batch that one of several input pipelines takes.

        Only these are read and decoded. All pipelines together yield what
        `dataset` yields, whatever their number. The strategies of
        `keras_alexnet.distribution` call it when `fit` is given `dataset`.

        Args:
            pipelines: Integer, how many there are.
            pipeline: Integer from 0 on, which of them this is.
            replicas: Integer, of all pipelines together. Each batch yields as
                many smaller ones, see `keras_alexnet.data.shares.Share`.
                Defaults to one for each pipeline.

        Returns:
            A `tf.data.Dataset` of the batches of this pipeline's replicas.

        Example:

        >>> from keras_alexnet.data.load_source import load_source
        >>> data = TrainingData(load_source("digits"), input_size=64)
        >>> images, labels = next(iter(data.share(4, 0)))
        >>> images.shape
        TensorShape([32, 64, 64, 3])
        """
        share = Share(pipelines, pipeline, replicas or pipelines)
        count = self._split.count
        if self._drop_remainder:
            count = self.steps_per_epoch * self._batch_size

        def plan():
            step = tf.identity(self._step)
            with tf.control_dependencies([step]):
                return step, self._plan(share)

        return share.epochs(plan, self._batches, count, self._batch_size)

    def _build(self):
        plan = tf.data.Dataset.range(1).flat_map(lambda _: self._plan())
        batches = without_autotuning(self._batches(plan))
        # The graph does not know its length, which `seek` may shorten. Keras
        # must: else `fit` asks for one batch too many, and that step, though
        # it fails, counts in the metrics, `optimizer.iterations` and the seed
        # generators. Keras asks the dataset by this method. The public way,
        # `tf.data.experimental.assert_cardinality`, was tried: it makes the
        # end of an epoch that `seek` has shortened an error.
        length = tf.constant(self.steps_per_epoch, tf.int64)
        batches.cardinality = lambda: length
        batches.share = self.share
        return batches

    def _batches(self, plan, sizes=None, ahead=True):
        """Batches of what is planned: of a share, if `sizes` are given."""
        parallel = parallel_calls()
        examples = plan.map(
            self._example, num_parallel_calls=parallel, deterministic=True
        )
        if sizes is None:
            batches = examples.batch(
                self._batch_size, drop_remainder=self._drop_remainder
            )
        else:
            batches = in_batches(examples, sizes)
        if not ahead:
            return batches.map(self._finish)
        batches = batches.map(
            self._finish,
            # Whole batches, of 77 MB at 224 pixels.
            num_parallel_calls=min(parallel, 4),
            deterministic=True,
        )
        return batches.prefetch(2)

    def _plan(self, share=None):
        """What becomes of each example of this epoch, in its order."""
        count, side = self._split.count, self._resize
        epoch, step = tf.identity(self._epoch), tf.identity(self._step)
        with tf.control_dependencies([epoch, step]):
            following = self._epoch.assign(epoch + 1), self._step.assign(0)
        with tf.control_dependencies(following):
            seed = tf.stack([tf.cast(self._seed, tf.int64), epoch])
        seeds = tf.random.split(seed, 4)
        order = tf.random.experimental.stateless_shuffle(
            tf.range(count, dtype=tf.int64), seeds[0]
        )
        windows = self._windows(count, side, seeds[1])
        flip = tf.random.stateless_uniform([count], seeds[2]) < 0.5
        # The noise of a batch is drawn from its first example's seed.
        position = tf.range(count, dtype=tf.int64)
        noise = tf.stack(
            [
                tf.fill([count], seeds[3, 0]),
                tf.cast(position - position % self._batch_size, seeds.dtype),
            ],
            axis=1,
        )
        sigma = tf.fill([count], tf.convert_to_tensor(self.color_sigma))
        plan = (position, order, flip, noise, sigma, *windows)
        start = step * self._batch_size
        plan = tuple(column[start:] for column in plan)
        if share is not None:
            held = share.holds(plan[0], count, self._batch_size)
            plan = tuple(tf.boolean_mask(column, held) for column in plan)
        position, order, flip, noise, sigma, *windows = plan
        cuts = self._crops(order, *windows)
        return tf.data.Dataset.from_tensor_slices(
            (position, order, flip, noise, sigma, *cuts)
        )

    def _windows(self, count, side, seed):
        """Where each example's crop is: top, left and pixels per side."""
        size = self._size
        if self._scales is not None:
            return crops.random_windows(
                count, side, size, self._scales[0], seed
            )
        if self._crop == "random":
            corners = crops.random_offsets(count, side, side, size, seed)
        elif self._crop == "corners":
            corners = crops.corner_offsets(count, side, side, size, seed)
        else:
            center = crops.center_offset(side, side, size)
            corners = (tf.fill([count], offset) for offset in center)
        return (*corners, tf.fill([count], size))

    def _example(self, position, index, flip, noise, sigma, *cut):
        image, label = self._load(index, *cut)
        size = self._size
        if self._scales is not None:
            image = tf.image.resize(image, (size, size), antialias=True)
            image = tf.cast(tf.round(image), tf.uint8)
        if self._flip:
            image = tf.cond(
                flip, lambda: tf.reverse(image, axis=[1]), lambda: image
            )
        image.set_shape((size, size, 3))
        return image, label, position, noise, sigma

    def _finish(self, images, labels, position, noise, sigma):
        if self._color:
            # A share has the noise of its rows of the whole batch.
            start = position[0] - position[0] % self._batch_size
            rows = tf.minimum(self._split.count - start, self._batch_size)
            images = self._color(
                images,
                training=True,
                seed=noise[0],
                sigma=sigma[0],
                rows=(position - start, rows),
            )
        return tf.cast(images, tf.float32), labels


def _largest_scale(scales, resize, crop, input_size):
    """The side to which images are scaled for scale jittering."""
    pair = isinstance(scales, list | tuple) and len(scales) == 2
    if not pair or not all(isinstance(side, int) for side in scales):
        raise ValueError(
            "`scales` must be a pair of integers, such as (256, 512). "
            f"Received: scales={scales!r}"
        )
    if resize is not None or crop != "random":
        raise ValueError(
            "With `scales`, leave out `resize`, and let `crop` be "
            f'"random". Received: resize={resize}, crop={crop!r}'
        )
    if not input_size <= scales[0] <= scales[1]:
        raise ValueError(
            "`scales` must rise, and begin at `input_size` or above. "
            f"Received: scales={scales}, input_size={input_size}"
        )
    return scales[1]


def evaluation_data(
    source,
    split="test",
    input_size=224,
    batch_size=128,
    resize=None,
    cache=None,
    view=None,
):
    """The images of a split in order, resized and not augmented.

    By default evaluation cuts its views from them, see
    `keras_alexnet.data.crops`; `fit` takes those with `view="center"` as its
    `validation_data`.

    Args:
        source: A `Source`, see `load_source`.
        split: String. Defaults to `"test"`.
        input_size: Integer, side of the center crop; without one, only to
            derive `resize`. Defaults to `224`.
        batch_size: Integer. Defaults to `128`; the last batch may be smaller.
        resize: Integer, side of the images. Defaults to `256 / 224` of
            `input_size`.
        cache: As of `TrainingData`.
        view: `"center"` for the central crop of each image, or `None` for
            whole images. Defaults to `None`.

    Returns:
        A `tf.data.Dataset` of `(images, labels)`: uint8 RGB of `(batch,
        resize, resize, 3)`, or `(batch, input_size, input_size, 3)` with a
        view, and int64 labels.

    Raises:
        ValueError: If `view` is neither, or larger than the images.

    Example:

    >>> from keras_alexnet.data.load_source import load_source
    >>> data = evaluation_data(load_source("digits"), input_size=64)
    >>> next(iter(data))[0].shape
    TensorShape([128, 73, 73, 3])
    """
    if view not in (None, "center"):
        raise ValueError(
            '`view` must be "center" or `None`; ten views are cut by '
            f"`keras_alexnet.evaluation.evaluate`. Received: view={view!r}"
        )
    check_data_arguments(source, input_size, resize, batch_size, cache)
    resize = resize or default_resize(input_size)
    if view and resize < input_size:
        raise ValueError(
            "`resize` must not be smaller than `input_size`. "
            f"Received: resize={resize}, input_size={input_size}"
        )
    load = loader(source, split, resize, cache)
    count = source.split(split).count

    def batches_of(rows, sizes=None, ahead=True):
        parallel = parallel_calls()
        examples = rows.map(load, num_parallel_calls=parallel)
        if sizes is None:
            batches = examples.batch(batch_size)
        else:
            batches = in_batches(examples, sizes)
        if view:
            batches = batches.map(
                lambda images, labels: (
                    crops.center_view(images, input_size),
                    labels,
                )
            )
        return batches.prefetch(2) if ahead else batches

    def share(pipelines, pipeline, replicas=None):
        part = Share(pipelines, pipeline, replicas or pipelines)

        def plan():
            numbers = tf.range(count, dtype=tf.int64)
            held = part.holds(numbers, count, batch_size)
            rows = tf.data.Dataset.from_tensor_slices(numbers[held])
            return tf.constant(0, tf.int64), rows

        return part.epochs(plan, batches_of, count, batch_size)

    batches = without_autotuning(batches_of(tf.data.Dataset.range(count)))
    batches.share = share
    return batches
