"""The preflight of a training, and where it is written down."""

import json
import pathlib
import warnings

from keras_alexnet.disk import replacing

NAME = "preflight.json"


def before_training(model, data, directory, verbose):
    """Looks for what makes a training fail, and says what was found.

    A training that is resumed was looked at when it began.

    Args:
        model: A `keras.Model`.
        data: A `TrainingData`.
        directory: Path of the run, or `None`.
        verbose: As of `keras.Model.fit`. Whether a line says that nothing
            was found; findings are a warning whatever it is.

    Returns:
        A `Preflight`, or `None` for a training that is resumed, and for a
        model that is not functional or does not take images.

    Raises:
        ValueError: If training cannot succeed.
    """
    if directory is not None and (pathlib.Path(directory) / NAME).exists():
        return None
    # Of a model that is not functional nothing is known between its ends.
    inputs = getattr(model, "inputs", None) or ()
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or not model.outputs:
        return None
    # Imported here: on the other backends, the import of TensorFlow that it
    # needs takes seconds.
    from keras_alexnet.preflight.check import check

    found = check(model, data)
    if found.fatal:
        raise ValueError(
            f"This training cannot succeed.\n{found}\n`preflight=False` "
            "trains nevertheless."
        )
    if found.findings:
        warnings.warn(
            f"{found}\n`preflight=False` trains without this check.",
            stacklevel=3,
        )
    elif verbose:
        print(found)
    return found


def write_preflight(found, directory):
    """Writes what was found into the directory of a run.

    Args:
        found: A `Preflight`, or `None`, of which nothing is written.
        directory: Path.
    """
    if found is not None:
        with replacing(pathlib.Path(directory) / NAME) as temporary:
            pathlib.Path(temporary).write_text(
                json.dumps(found.record(), indent=1)
            )
