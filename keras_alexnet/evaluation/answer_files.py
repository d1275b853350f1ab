"""Tables of what a network answers, in Parquet files."""

import os

import numpy as np

from keras_alexnet.evaluation.answers import Answers
from keras_alexnet.parquet import GROUP
from keras_alexnet.parquet import import_pyarrow


def write_answers(path, answers, examples, damage):
    """Writes a Parquet file with a row for each image.

    The columns are `example`, `label`, `predicted` (the most probable class),
    `probabilities`, and `damage`, a string that is empty unless the image is a
    damaged JPEG, judged as far as it can be decoded.

    Args:
        path: Path of the file.
        answers: An `Answers`.
        examples: Sequence of strings, which image each row is of. Bytes of
            a file's name that are no text are written as `\\xe4`.
        damage: Dict from some of these to what is wrong with the image.

    Raises:
        ImportError: If pyarrow is not installed.
        ValueError: If there are more names than images, or fewer.

    Example:

    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "answers.parquet")
    >>> found = Answers(np.array([1]), np.array([[0.2, 0.8]], "float32"),
    ...                 "center", ("cat", "dog"))
    >>> write_answers(path, found, ["a.png"], {})
    >>> read_answers(path, "center", ("cat", "dog"))[0].classes.tolist()
    [1]
    """
    pyarrow, parquet = import_pyarrow()
    if len(examples) != len(answers.labels):
        raise ValueError(
            "`examples` must name each image. Received: "
            f"{len(examples)} names for {len(answers.labels)} images"
        )
    probabilities = np.asarray(answers.probabilities, "float32")
    numbers = pyarrow.list_(pyarrow.float32(), probabilities.shape[1])
    names = [
        os.fsencode(name).decode(errors="backslashreplace") for name in examples
    ]
    columns = {
        "example": pyarrow.array(names, pyarrow.string()),
        "label": pyarrow.array(answers.labels, pyarrow.int64()),
        "predicted": pyarrow.array(answers.classes, pyarrow.int64()),
        "probabilities": pyarrow.FixedSizeListArray.from_arrays(
            pyarrow.array(np.ravel(probabilities)), type=numbers
        ),
        "damage": pyarrow.array([damage.get(name, "") for name in examples]),
    }
    parquet.write_table(
        pyarrow.table(columns), os.fspath(path), row_group_size=GROUP
    )


def read_answers(path, views, class_names):
    """What `write_answers` has written.

    Args:
        path: Path of the file.
        views: Name of the views.
        class_names: Tuple of names, one per class.

    Returns:
        Tuple of an `Answers`, the list of `examples`, and the dict `damage`.

    Raises:
        ImportError: If pyarrow is not installed.
    """
    _, parquet = import_pyarrow()
    table = parquet.read_table(os.fspath(path))
    examples = table["example"].to_pylist()
    found = Answers(
        table["label"].to_numpy(),
        table["probabilities"]
        .combine_chunks()
        .flatten()
        .to_numpy()
        .reshape(len(examples), -1),
        views,
        tuple(class_names),
    )
    damage = zip(examples, table["damage"].to_pylist(), strict=True)
    return found, examples, {name: what for name, what in damage if what}
