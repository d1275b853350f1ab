"""Ten steps of all that a training does, before its first day."""

import contextlib
import dataclasses
import pathlib
import secrets
import shutil
import time

import keras
import numpy as np
import tensorflow as tf

from keras_alexnet.data.means import mean_path
from keras_alexnet.data.pipelines import TrainingData
from keras_alexnet.distribution.strategies import strategy_from_name
from keras_alexnet.distribution.workers import place_among_workers
from keras_alexnet.models.presets import resolve_architecture
from keras_alexnet.training.dry_run_result import DryRun
from keras_alexnet.training.dry_run_result import DryRunError
from keras_alexnet.training.dry_run_watch import BrokenOff
from keras_alexnet.training.dry_run_watch import Watch
from keras_alexnet.training.dry_run_watch import devices_of
from keras_alexnet.training.presets import resolve_recipe
from keras_alexnet.training.training import open_source
from keras_alexnet.training.training import train
from keras_alexnet.training.training import varied_recipe

# Steps after the resumption, images of a step of validation, and images of
# which ten views are cut.
AFTER, VALIDATED, TEN_VIEWS_OF = 2, 128, 24


def dry_run(
    source,
    architecture=None,
    recipe="small_data",
    directory=None,
    *,
    steps=10,
    verbose=True,
    **options,
):
    """Does some steps of everything that `train` would do, and times it.

    On images drawn from the source it calls `train` twice: the first call is
    broken off after some steps, as if the process had been killed; the second
    resumes from the backup, validates and saves the network. Then ten views of
    some images are evaluated. What would end the training ends the dry run,
    with an error that names the part: the source, memory, devices, the
    directory.

    It works in a folder `.dry_run-...` within `directory` or its nearest
    parent that exists. The folder is removed at the end; only a process that
    is killed leaves it behind.

    Args:
        source, architecture, recipe, directory: As of `train`.
        steps: Integer, steps before the training is broken off, 2 or more; as
            many of validation. Fewer where the source has no more. Defaults to
            `10`.
        verbose: Boolean. Whether each part is announced. Defaults to `True`.
        **options: Further arguments of `train`. With a strategy of several
            workers, call it on each of them.

    Returns:
        A `DryRun`; print it.

    Raises:
        DryRunError: If a part fails.
        ValueError: If `steps` is less than 2, or `directory` is `None`.

    Example:

    >>> import tempfile
    >>> from keras_alexnet.models import PAPER, with_width
    >>> found = dry_run("digits", with_width(PAPER, 0.05),
    ...     directory=tempfile.mkdtemp(), steps=2, input_size=40,
    ...     batch_size=32, verbose=False, preflight=False)
    >>> found.source.counts["train"], found.rates["training"] > 0
    (1438, True)
    """
    _check(steps, directory)
    begun = time.perf_counter()
    part = _announced if verbose else _named
    with part("devices"):
        strategy = options.pop("strategy", None)
        if isinstance(strategy, str):
            # Before any other operation of TensorFlow.
            strategy = strategy_from_name(strategy)
        strategy = strategy or tf.distribute.get_strategy()
    with part("recipe"):
        recipe = varied_recipe(
            resolve_recipe(recipe),
            *(options.pop(x, None) for x in ("epochs", "batch_size", "flip")),
        )
        _check_shares(recipe.batch_size, strategy.num_replicas_in_sync)
    with part("data"):
        whole = _opened(source, recipe, options)
        some, steps = _drawn(whole, recipe.batch_size, steps)
    with part("architecture"):
        means = [_mean_file(x, architecture, options) for x in (some, whole)]
    with part("directory"):
        folder = _new_folder(directory, strategy)
    every = options.pop("every", "epoch")
    validated = _validated(some, options)
    watch = Watch(steps, recipe.batch_size, validated, folder, strategy)
    try:
        call = _call(architecture, recipe, folder, strategy, options)
        call |= {"every": steps, "callbacks": [*call["callbacks"], watch]}
        with part("training"), contextlib.suppress(BrokenOff):
            train(some, **call)
        with part("backup"):
            watch.look_at_backup()
        with part("resume"):
            training = train(some, **call)
            watch.look_at_resumption()
        with part("evaluation"):
            ten = _ten_views(training, some)
        with part("input"):
            read = _input(training, some)
            # Nobody writes to the folder any more.
            _from_first_worker(0, strategy)
    finally:
        _remove(folder, strategy)
        means[0].unlink(missing_ok=True)
        keras.backend.clear_session()
    has_mean = options.get("weights") is not None or means[1].exists()
    return DryRun(
        source=whole,
        recipe=recipe,
        replicas=strategy.num_replicas_in_sync,
        devices=devices_of(strategy),
        every=every,
        validated=_validated(whole, options),
        mean_is_known=has_mean,
        rates={"input": read, **watch.rates, "ten_views": ten},
        seconds=time.perf_counter() - begun,
        **watch.facts,
    )


def _check(steps, directory):
    if not isinstance(steps, int) or steps < 2:
        raise ValueError(
            f"`steps` must be an integer, 2 or more. Received: steps={steps!r}"
        )
    if directory is None:
        raise ValueError(
            "`directory` must be the folder that the training would write to. "
            "Received: directory=None"
        )


@contextlib.contextmanager
def _named(part):
    """Makes every error one of a named part of the dry run."""
    try:
        yield
    except (DryRunError, BrokenOff):
        raise
    except Exception as error:
        raise DryRunError(part, error) from error


@contextlib.contextmanager
def _announced(part):
    start = time.perf_counter()
    print(f"Dry run: {part} ...", end=" ", flush=True)
    with _named(part):
        yield
    print(f"{time.perf_counter() - start:.1f} s", flush=True)


def _check_shares(batch_size, replicas):
    if batch_size % replicas:
        below = batch_size - batch_size % replicas
        choices = [x for x in (below, below + replicas) if x]
        raise ValueError(
            f"`batch_size` must be divisible by the {replicas} replicas, such "
            f"as {' or '.join(map(str, choices))}. "
            f"Received: batch_size={batch_size}"
        )


def _opened(source, recipe, options):
    names = ("holdout", "data_dir")
    found = {name: options.pop(name, None) for name in names}
    return open_source(
        source,
        recipe,
        options.get("keep", "last"),
        on_error=options.pop("on_error", "raise"),
        seed=options.get("seed", 0),
        **found,
    )


def _drawn(whole, batch_size, steps):
    """Enough random images of each split, and how many steps they last."""
    rng = np.random.default_rng(0)
    splits = {}
    for name, split in whole.splits.items():
        wanted = (steps + AFTER) * batch_size
        if name != "train":
            wanted = steps * VALIDATED
        count = min(wanted, split.count)
        # In the order of the source, which disks like best.
        chosen = np.sort(rng.permutation(split.count)[:count])
        splits[name] = split.subset(chosen)
    possible = splits["train"].count // batch_size
    if possible < 3:
        raise ValueError(
            "`batch_size` must leave three steps at least. Received: "
            f"batch_size={batch_size} for {whole.counts['train']} images"
        )
    some = dataclasses.replace(
        whole,
        splits=splits,
        # Nobody else knows these images by this name.
        fingerprint=f"{whole.fingerprint}, {secrets.token_hex(8)}",
    )
    return some, min(steps, possible - 1)


def _validated(source, options):
    """How many images a validation has."""
    name = options.get("validation", "auto")
    if name == "auto":
        name = "holdout" if "holdout" in source.splits else "test"
    return source.split(name).count if name else 0


def _new_folder(directory, strategy):
    """A new folder, the same for all workers, as near as can be."""
    place = pathlib.Path(directory).expanduser().absolute()
    while not place.exists():
        place = place.parent
    number = _from_first_worker(secrets.randbits(31), strategy)
    folder = place / f".dry_run-{number:08x}"
    # Of all workers the first to come makes it.
    folder.mkdir(exist_ok=True)
    return folder


def _from_first_worker(number, strategy):
    """The first worker's integer, once all workers have come here."""
    return int(strategy.gather(tf.constant([number]), axis=0)[0])


def _remove(folder, strategy):
    # A worker may have failed; the others then wait for nobody.
    if strategy.extended.should_checkpoint:
        shutil.rmtree(folder, ignore_errors=True)


def _call(architecture, recipe, folder, strategy, options):
    """Arguments of `train` for one epoch in the folder."""
    kept = options.pop("cache", None)
    return {
        "architecture": architecture,
        "recipe": dataclasses.replace(recipe, epochs=1),
        "directory": folder,
        "strategy": strategy,
        "cache": kept if kept in (None, "memory") else folder / "cache",
        "callbacks": options.pop("callbacks", ()),
        "verbose": 0,
        **options,
    }


def _ten_views(training, some):
    """Images per second whose ten views all workers evaluate."""
    test = some.split("test")
    few = test.subset(np.arange(min(TEN_VIEWS_OF, test.count)))
    training = dataclasses.replace(
        training, source=dataclasses.replace(some, splits={"test": few})
    )
    # The first time builds the graph.
    training.evaluate("ten")
    start = time.perf_counter()
    training.evaluate("ten")
    workers, _ = place_among_workers(training.strategy)
    return workers * few.count / (time.perf_counter() - start)


def _input(training, some):
    """Images per second that are read and augmented, without a network."""
    size = training.model.input_shape[1]
    data = TrainingData(
        some,
        input_size=size,
        **training.recipe.augmentation(training.architecture, size),
    )
    batches = iter(data.dataset)
    next(batches)
    start = time.perf_counter()
    count = sum(len(labels) for _, labels in batches)
    return count / (time.perf_counter() - start)


def _mean_file(source, architecture, options):
    """Where `train` keeps the mean image of a source."""
    architecture = resolve_architecture(architecture or "paper")
    size = options.get("input_size") or architecture.input_size
    return mean_path(source, size, architecture.resize(size))
