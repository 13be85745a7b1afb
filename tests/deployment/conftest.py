"""The tiny model as a fixture."""

from pathlib import Path

import pytest
from tests.tiny_model import write_tiny_model


@pytest.fixture
def tiny_model(tmp_path: Path) -> Path:
    """The folder of a tiny model."""
    return write_tiny_model(tmp_path / "tiny" / "model")
