"""The pipeline of all tasks: a function, and the files that it writes."""

import threading
import warnings

from keras_alexnet.beam.files import write_lines

_loaded = {}
_lock = threading.Lock()


def import_beam():
    """The module `apache_beam`.

    Raises:
        ImportError: If it is not installed.
    """
    # Imported here: the package does without Beam otherwise.
    try:
        import apache_beam
    except ImportError as error:
        raise ImportError(
            "`keras_alexnet.beam` needs Apache Beam. Install it with "
            '`pip install "keras-alexnet[beam]"`.'
        ) from error
    return apache_beam


def run_shards(write, shards, problems, options=()):
    """Calls a function for each of many files, on the workers of a runner.

    A file is one element of the pipeline, so there should be a few for each
    worker. The function must be one that a runner may call again, or twice at
    once: it writes a file whole or not at all, and the same bytes each time.

    Args:
        write: Function of one shard that `pickle` takes, of a module that
            workers can import. It returns a list of strings: what is wrong
            with some images.
        shards: List of what `write` takes, a few bytes each: they are part of
            the pipeline's description, which Dataflow limits to 10 MB.
        problems: String, path of the text file that lists what the function
            returns, in the order of the shards. It is written by the pipeline,
            when all shards are.
        options: Sequence of strings, Beam's own, such as
            `["--runner=FlinkRunner", "--flink_master=localhost:8081"]`.
            Defaults to none, which runs in this process.

    Raises:
        ImportError: If Apache Beam is not installed.
        ValueError: If Beam does not know the runner.
        RuntimeError: If the pipeline does not end well. What it has written
            stays, and need not be written again.
    """
    beam = import_beam()
    settings = beam_options(options)
    pipeline = beam.Pipeline(options=settings)
    (
        pipeline
        | "Shards" >> beam.Create(list(enumerate(shards)))
        # Else the runner may give all of them to the same worker.
        | "Distribute" >> beam.Reshuffle()
        | "Write files" >> beam.FlatMap(_numbered, write)
        | "Collect problems" >> beam.combiners.ToList()
        | "Write problems" >> beam.Map(_write_sorted, problems)
    )
    try:
        result = pipeline.run()
        state = result.wait_until_finish() or result.state
    except Exception as error:
        # Each runner has errors of its own.
        raise RuntimeError(
            f"The pipeline ended with an error: {error}. What is finished "
            "stays; the same command goes on from there"
        ) from error
    if state != beam.runners.runner.PipelineState.DONE:
        raise RuntimeError(
            f"The pipeline ended in the state {state}. What is finished "
            "stays; the same command goes on from there"
        )


def beam_options(options):
    """Beam's own options, checked.

    Args:
        options: Sequence of strings, such as `"--runner=DirectRunner"`.

    Returns:
        An `apache_beam.options.pipeline_options.PipelineOptions`. With
        `--direct_running_mode`, the runner is Beam's `FnApiRunner`: the
        `DirectRunner` of Beam 2.77 first tries another, Prism, which it
        downloads, and which does not know that option.

    Raises:
        ValueError: If there is no such runner, or an option has a wrong
            value.
    """
    import_beam()
    from apache_beam.options import pipeline_options
    from apache_beam.runners.runner import create_runner

    strange = [o for o in options if not str(o).startswith("-")]
    if isinstance(options, str) or strange:
        raise ValueError(
            "`options` must be strings such as '--runner=DirectRunner'. "
            f"Received: options={options!r}"
        )
    try:
        found = pipeline_options.PipelineOptions(list(options))
        known = found.get_all_options()
        everything = found.get_all_options(retain_unknown_options=True)
    except SystemExit as error:
        # What is wrong has been printed.
        raise ValueError(
            f"Beam does not take these options: {' '.join(options)}"
        ) from error
    unknown = sorted(everything.keys() - known.keys())
    if unknown:
        warnings.warn(
            f"Beam's Python package does not know {', '.join(unknown)}. The "
            "runner gets them as they are",
            stacklevel=2,
        )
    standard = found.view_as(pipeline_options.StandardOptions)
    mode = found.view_as(pipeline_options.DirectOptions).direct_running_mode
    name = (standard.runner or "DirectRunner").lower()
    if name in ("direct", "directrunner") and mode != "in_memory":
        standard.runner = "FnApiRunner"
    try:
        create_runner(standard.runner or "DirectRunner")
    except (ValueError, ImportError) as error:
        raise ValueError(f"`--runner`: {error}") from error
    return found


def once(key, load):
    """What a function returns, which is called once in a process.

    Only what was asked for last is kept.

    Args:
        key: String. Another one means another function.
        load: Function without arguments.

    Example:

    >>> once("a", list) is once("a", list)
    True
    """
    with _lock:
        if key not in _loaded:
            _loaded.clear()
            _loaded[key] = load()
        return _loaded[key]


def _numbered(shard, write):
    number, shard = shard
    for position, problem in enumerate(write(shard)):
        yield number, position, problem


def _write_sorted(found, path):
    write_lines([problem for _, _, problem in sorted(found)], path)
