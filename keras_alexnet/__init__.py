"""AlexNet (Krizhevsky, Sutskever and Hinton, 2012) for Keras 3."""

__version__ = "0.1.0"
