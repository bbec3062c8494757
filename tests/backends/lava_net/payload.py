"""The files of an export, imported here: those that need NumPy and SciPy only."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

from spikec.backends.lava_net.writing import PAYLOAD


def imported(name: str) -> ModuleType:
    """Import a module as a program in the export's folder does."""
    sys.path.insert(0, str(PAYLOAD))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(PAYLOAD))


equations: Any = imported("equations")
clock: Any = imported("clock")
linear: Any = imported("linear")
host: Any = imported("host")
run_lava: Any = imported("run_lava")
