"""The part of each batch that one of several input pipelines yields."""

import dataclasses

import tensorflow as tf

from keras_alexnet.autotuning import without_autotuning

# Batches at the beginning of an epoch before any is computed ahead. Keras takes
# a batch to build a model and throws the iterator away, and TensorFlow's
# iterators over replicas hold up to three more.
FIRST = 4


@dataclasses.dataclass(frozen=True)
class Share:
    """Which rows of each batch an input pipeline yields.

    A batch of `m` rows is divided into as many blocks as there are replicas,
    as `np.array_split` does it: the first `m % replicas` blocks have one row
    more. Pipeline `w` of `n` yields blocks `w`, `w + n`, `w + 2 n`, ..., one
    for each of its replicas, as `tf.distribute` does with a dataset that it
    divides itself, so `predict` of Keras returns its rows in order.

    Args:
        pipelines: Integer, the number of input pipelines (in
            `tf.distribute`, of workers). Defaults to `1`.
        pipeline: Integer, which of them this is. Defaults to `0`.
        replicas: Integer, of all pipelines together. Defaults to `1`.

    Raises:
        ValueError: If there is no such pipeline, or the pipelines have not
            equally many replicas.

    Example:

    >>> Share(2, 1, 4).sizes(10)
    [3, 2]
    """

    pipelines: int = 1
    pipeline: int = 0
    replicas: int = 1

    def __post_init__(self):
        if not 0 <= self.pipeline < self.pipelines:
            raise ValueError(
                "`pipeline` must be in 0 to `pipelines - 1`. Received: "
                f"pipelines={self.pipelines}, pipeline={self.pipeline}"
            )
        if self.replicas < 1 or self.replicas % self.pipelines:
            raise ValueError(
                "`replicas` must be divisible by `pipelines`. Received: "
                f"replicas={self.replicas}, pipelines={self.pipelines}"
            )

    @property
    def blocks(self):
        """Range of the numbers of this pipeline's blocks."""
        return range(self.pipeline, self.replicas, self.pipelines)

    def sizes(self, rows):
        """Rows of each block of this pipeline, of a batch of `rows`."""
        each, rest = divmod(rows, self.replicas)
        return [each + (block < rest) for block in self.blocks]

    def holds(self, positions, count, batch_size):
        """Whether examples of an epoch are in this share, element by element.

        Args:
            positions: int64 tensor, places in the order of an epoch.
            count: Integer, the epoch's examples.
            batch_size: Integer.

        Returns:
            Boolean tensor of the shape of `positions`.
        """
        row = positions % batch_size
        rows = tf.minimum(count - (positions - row), batch_size)
        each, rest = rows // self.replicas, rows % self.replicas
        longer = rest * (each + 1)
        block = tf.where(
            row < longer,
            row // (each + 1),
            rest + (row - longer) // tf.maximum(each, 1),
        )
        return block % self.pipelines == self.pipeline

    def epochs(self, plan, make, count, batch_size):
        """A dataset that yields the batches of one epoch when it is iterated.

        Nothing is computed ahead in the first steps, because Keras throws the
        first iterator away.

        Args:
            plan: Function without arguments that returns the number of the
                step to begin with, an int64 scalar tensor, and a
                `tf.data.Dataset` of what this share `holds` from there on.
            make: Function of a dataset of rows, a list of integers and a
                boolean: it makes a dataset of batches of these sizes, over
                and over, and computes ahead if told so.
            count: Integer, the epoch's examples.
            batch_size: Integer.

        Returns:
            A `tf.data.Dataset` of the batches of this pipeline's replicas.

        Raises:
            ValueError: If there are fewer rows in a batch than replicas.
        """
        if batch_size < self.replicas:
            raise ValueError(
                "`batch_size` must not be smaller than the number of replicas "
                f"that share a batch. Received: batch_size={batch_size} for "
                f"{self.replicas} replicas"
            )
        steps, rest = divmod(count, batch_size)
        sizes, last_sizes = self.sizes(batch_size), self.sizes(rest)

        def epoch(_):
            step, rows = plan()
            left = steps - tf.minimum(step, steps)
            first = sum(sizes) * tf.minimum(left, FIRST)
            whole = sum(sizes) * left
            batches = make(rows.take(first), sizes, False)
            more = make(rows.take(whole).skip(first), sizes, True)
            batches = batches.concatenate(more)
            if sum(last_sizes):
                last = make(rows.skip(whole), last_sizes, False)
                batches = batches.concatenate(last)
            return batches

        options = tf.data.Options()
        # TensorFlow 2.21 cannot fuse two pairs in one function: "can't delete
        # node(s) with retained fanouts(s)".
        options.experimental_optimization.map_and_batch_fusion = False
        epochs = tf.data.Dataset.range(1).flat_map(epoch).with_options(options)
        return without_autotuning(epochs)


def in_batches(examples, sizes):
    """Batches whose sizes follow each other over and over.

    Args:
        examples: A `tf.data.Dataset`.
        sizes: List of integers; those that are 0 are left out.

    Returns:
        A `tf.data.Dataset`; its batches have a known size if all are equal.

    Example:

    >>> batches = in_batches(tf.data.Dataset.range(7), [2, 1, 0])
    >>> [batch.tolist() for batch in batches.as_numpy_iterator()]
    [[0, 1], [2], [3, 4], [5], [6]]
    """
    sizes = [size for size in sizes if size]
    if len(set(sizes)) == 1:
        return examples.batch(sizes[0], drop_remainder=True)
    return examples.batch(1).rebatch(sizes or [1])
