import subprocess
import sys


def test_importing_without_keras_tuner_says_how_to_install_it():
    code = (
        "import sys; sys.modules['keras_tuner'] = None;"
        "import keras_alexnet.tuning"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert (
        "ImportError: `keras_alexnet.tuning` needs KerasTuner. Install it with "
        '`pip install "keras-alexnet[tuning]"`.'
    ) in done.stderr


def test_studies_do_without_keras_tuner():
    code = (
        "import sys; sys.modules['keras_tuner'] = None;"
        "import keras_alexnet.studies"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
