"""One tiny model for all tests of this folder."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from tests.preference.tiny_model import make_tiny_model


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that transformers can load."""
    pytest.importorskip("trl", reason="needs the extra trl")
    folder = make_tiny_model(tmp_path_factory.mktemp("tiny"))
    import trl  # noqa: F401  (imported here, so that it is among what is frozen)

    # every training collects garbage, and should not walk through all that is imported each time
    gc.freeze()
    return folder
