"""Iterators over replicas that can be deleted at once."""

import functools
import warnings

from keras_alexnet.autotuning import without_autotuning

# The function in `tensorflow.python` that makes a replica's own dataset.
HOOK = "_create_device_dataset"


def stop_device_autotuning():
    """Switches autotuning off in what TensorFlow adds for each replica.

    `experimental_distribute_dataset` gives each replica an iterator of its
    own, over a dataset that prefetches what the common one yields. These have
    the default options whatever the common dataset's are, so they are tuned,
    and `fit` waits for that at the end of an epoch, see `without_autotuning`.

    It holds for all strategies of the process, and a second call changes
    nothing.

    Where TensorFlow no longer has the function that is replaced, a warning
    says so, and everything works but for the waiting.
    """
    # No public way reaches these datasets. Tried: options on the dataset that
    # is distributed, which these do not inherit; `tf.distribute.InputOptions`,
    # of which none is about tuning; and values from
    # `experimental_distribute_values_from_function`, whose iterator a
    # `tf.function` cannot take.
    from tensorflow.python.data.ops import multi_device_iterator_ops as module

    make = getattr(module, HOOK, None)
    if make is None:
        warnings.warn(
            f"TensorFlow changed `multi_device_iterator_ops.{HOOK}`, so the "
            "iterators of replicas are tuned, and `fit` may wait half a "
            "minute for that at the end of an epoch.",
            stacklevel=3,
        )
        return
    if getattr(make, "is_without_autotuning", False):
        return

    @functools.wraps(make)
    def untuned(*args, **kwargs):
        return without_autotuning(make(*args, **kwargs))

    untuned.is_without_autotuning = True
    setattr(module, HOOK, untuned)
