"""Compiles pretrained neural networks into spiking ones, verifies, prices and deploys them.

The public names below are loaded on first use, so that ``import spikec`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "Graph",
    "Preprocess",
    "Program",
    "SpikecError",
    "__version__",
    "convert",
    "energy_profiles",
    "errors",
    "finetune",
    "fit",
    "import_model",
    "ir",
    "load",
    "lower",
    "nn",
    "recipes",
    "runtime",
    "targets",
    "zoo",
]

if TYPE_CHECKING:
    from spikec import errors, ir, nn, runtime, zoo
    from spikec.api import (
        convert,
        energy_profiles,
        finetune,
        fit,
        import_model,
        load,
        lower,
        recipes,
        targets,
    )
    from spikec.data import Preprocess
    from spikec.errors import SpikecError
    from spikec.ir import Graph
    from spikec.program import Program
else:  # hidden from type checkers, which would take it as a promise of every name

    def __getattr__(name: str) -> object:
        if name in _SUBMODULES:
            return importlib.import_module(f"spikec.{name}")
        if name not in _HOME:
            raise AttributeError(f"module 'spikec' has no attribute {name!r}")
        value = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


_SUBMODULES = ("errors", "ir", "nn", "runtime", "zoo")

# Public name -> the module that defines it.
_HOME = {
    "Graph": "spikec.ir",
    "Preprocess": "spikec.data",
    "Program": "spikec.program",
    "SpikecError": "spikec.errors",
    "convert": "spikec.api",
    "energy_profiles": "spikec.api",
    "finetune": "spikec.api",
    "fit": "spikec.api",
    "import_model": "spikec.api",
    "load": "spikec.api",
    "lower": "spikec.api",
    "recipes": "spikec.api",
    "targets": "spikec.api",
}
