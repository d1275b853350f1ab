import pytest


@pytest.fixture(autouse=True)
def seed():
    """Overrides the one that clears Keras: files need no Keras."""
