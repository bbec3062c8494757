"""Loads the compiled scans; without a compiler the plain path gives the same numbers."""

from __future__ import annotations

import ctypes
import functools
import logging
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spikec.runtime.compiled import BuildError, build, wanted

SOURCE = resources.files(__package__).joinpath("scan.c")
TILES: dict[str, tuple[str, int]] = {"float32": ("float", 512), "float64": ("double", 256)}
"""Element type -> its name in C, and the elements whose state fits into the first-level cache."""
logger = logging.getLogger("spikec.runtime.layerwise")


@dataclass(frozen=True)
class Library:
    """The compiled scans for one element type."""

    scan: Any
    """the C function"""
    tile: int
    structure_bytes: int
    parallel: Any
    """GOMP_parallel of the thread pool that torch uses, or None"""


def library(dtype: np.dtype[Any]) -> Library | None:
    """Give the compiled scans, or None where there are none; the reason is said once."""
    if not wanted() or dtype.name not in TILES:
        return None
    return _loaded(dtype.name)


@functools.cache
def _loaded(name: str) -> Library | None:
    try:
        return load(name)
    except BuildError as error:
        logger.warning("neuron scans run without compiled code, more slowly: %s", error)
        return None


def load(name: str) -> Library:
    """Build and load; BuildError says why that is not possible."""
    real, tile = TILES[name]
    path = build(SOURCE, (f"-DREAL={real}", f"-DTILE={tile}"))
    try:
        loaded = ctypes.CDLL(str(path))
    except OSError as error:
        raise BuildError(f"{path} cannot be loaded: {error}") from error
    loaded.spikec_tile.restype = loaded.spikec_scan_bytes.restype = ctypes.c_int64
    loaded.spikec_scan.restype = None
    return Library(loaded.spikec_scan, loaded.spikec_tile(), loaded.spikec_scan_bytes(), _pool())


@functools.cache
def _pool() -> Any:
    """Find the thread pool inside torch; a second one beside it would fight for the processor."""
    for path in sorted((Path(torch.__file__).parent / "lib").glob("libtorch_cpu.*")):
        try:
            return ctypes.cast(ctypes.CDLL(str(path)).GOMP_parallel, ctypes.c_void_p)
        except (OSError, AttributeError):
            continue
    return None
