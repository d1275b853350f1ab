import pathlib
import re

from setuptools import find_packages
from setuptools import setup

ROOT = pathlib.Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"$',
    (ROOT / "keras_alexnet" / "__init__.py").read_text(),
    re.MULTILINE,
).group(1)

URL = "https://github.com/keras-alexnet/keras-alexnet"

EXAMPLES = ["absl-py", "matplotlib", "scikit-learn", "tensorboard"]
TUNING = ["keras-tuner>=1.4.8,<1.5", *EXAMPLES]

setup(
    name="keras-alexnet",
    version=VERSION,
    description="The AlexNet of 2012 for Keras 3, its layers and its recipe",
    long_description=(ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    url=URL,
    project_urls={
        "Documentation": f"{URL}/tree/main/docs",
        "Changelog": f"{URL}/blob/main/CHANGELOG.md",
        "Issues": f"{URL}/issues",
    },
    license="Apache-2.0",
    license_files=["LICENSE"],
    package_data={"keras_alexnet.weights": ["files/*"]},
    packages=find_packages(include=["keras_alexnet", "keras_alexnet.*"]),
    # Keras 3.15 needs Python 3.11.
    python_requires=">=3.11",
    install_requires=[
        "filelock",
        "h5py",
        # tensorflow-datasets needs it and does not say so.
        "importlib_resources",
        # The upper bounds are the newest releases that the tests have seen.
        "keras>=3.15,<3.16",
        "ml_dtypes",
        "numpy>=2",
        "pillow>=11.3",
        "safetensors",
        "scipy>=1.14",
        # Tells what libjpeg repairs, which Pillow and TensorFlow do not.
        "simplejpeg>=1.9",
        "tensorflow>=2.21,<2.22",
        "tensorflow-datasets>=4.9.10,<4.10",
    ],
    extras_require={
        "gpu": ["tensorflow[and-cuda]>=2.21,<2.22"],
        "examples": EXAMPLES,
        # Preparation, features and evaluation on more than one machine.
        "beam": ["absl-py", "apache-beam>=2.77,<3", "pyarrow"],
        "heic": ["pillow-heif"],
        # The images that a network takes for similar; FAISS is used, too,
        # where it is installed.
        "retrieval": ["scikit-learn"],
        "tuning": TUNING,
        "test": [
            *TUNING,
            "hypothesis",
            # They execute the notebook.
            "ipykernel",
            "nbclient",
            "pytest",
            "pytest-xdist",
        ],
        "docs": [
            "mkdocs>=1.6,<2",
            "mkdocs-material>=9.7,<10",
            "mkdocstrings[python]>=1",
            # It formats the signatures.
            "ruff",
        ],
        # Other implementations and backends, which tests compare with.
        "peers": [
            "captum",
            "faiss-cpu",
            "jax",
            "onnx",
            "onnxruntime",
            "opencv-python-headless>=4.8,<5",
            "pyarrow",
            # Keras exports to ONNX with it.
            "tf2onnx",
            "torch",
        ],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Image Recognition",
    ],
    keywords="alexnet keras tensorflow local-response-normalization imagenet",
)
