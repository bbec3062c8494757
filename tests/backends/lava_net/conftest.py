"""Where the tests look for Lava: beside the virtual environment, where `make test` puts it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def lava(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name the environment that the Makefile has made, unless somebody names another."""
    if not {"SPIKEC_LAVA_HOME", "SPIKEC_LAVA_PYTHON"} & set(os.environ):
        monkeypatch.setenv("SPIKEC_LAVA_HOME", str(Path(sys.prefix) / "lava"))
