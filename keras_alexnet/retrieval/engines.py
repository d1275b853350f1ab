"""The libraries that search, and which of them is used."""

import importlib.util

ENGINES = {
    "faiss": "pip install faiss-cpu",
    "sklearn": 'pip install "keras-alexnet[retrieval]"',
}


def engine_module(engine):
    """The name of the library that searches.

    Args:
        engine: `"sklearn"`, `"faiss"` or `"auto"`, FAISS where it is
            installed and else scikit-learn.

    Returns:
        String.

    Raises:
        ValueError: If there is no such engine.
        ImportError: If it is not installed.

    Example:

    >>> engine_module("sklearn")
    'sklearn'
    """
    if engine not in ("auto", *ENGINES):
        raise ValueError(
            f"`engine` must be one of {('auto', *ENGINES)}. "
            f"Received: engine={engine!r}"
        )
    wanted = list(ENGINES) if engine == "auto" else [engine]
    for name in wanted:
        if importlib.util.find_spec(name) is not None:
            return name
    raise ImportError(
        f"Searching needs {' or '.join(wanted)}. Install it with "
        f"`{ENGINES[wanted[-1]]}`."
    )
