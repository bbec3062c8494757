"""Finds a Python that has Lava: named by somebody, or made by ``spikec lava-setup``."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from spikec.errors import MissingDependency, SpikecError, ToolFailed
from spikec.executor import run_child

PYTHON = "SPIKEC_LAVA_PYTHON"
"""the variable that names an interpreter with lava-nc"""
HOME = "SPIKEC_LAVA_HOME"
"""the variable that names the folder of the private environment"""
SETUP = "spikec lava-setup"
STAMP = "ready.json"
"""written last, when the environment has passed its check"""
FORMAT = 1
LIMITED = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "PYTHONDONTWRITEBYTECODE": "1",
}
"""one thread for each of Lava's many processes; an export's folder stays as it is"""
CHECK = Path(__file__).parent / "payload" / "check_lava.py"
SECONDS = 120.0


@dataclass(frozen=True)
class Lava:
    """An interpreter with Lava, and what it holds."""

    python: str
    version: str
    """of lava-nc"""
    netx: str = ""
    """version of lava-dl, with h5py beside it; empty where NetX files cannot be loaded"""
    runs_on: str = ""
    """version of Python"""


def find(python: str | None = None) -> Lava:
    """Give the interpreter to use; without one, say how to get it."""
    named = python or os.environ.get(PYTHON)
    if named:
        return checked(named)
    made = private()
    if made is None:
        raise MissingDependency(
            "no Python with Lava",
            where=str(home()),
            expected=f"lava-nc 0.10.0 in an environment of its own, or {PYTHON}",
            remedy=f"{SETUP} makes one (it downloads about 100 MB)",
        )
    return made


def seen() -> str:
    """Name the interpreter that would be used, without running it; empty where there is none."""
    named = os.environ.get(PYTHON)
    if named:
        return named if os.access(named, os.X_OK) else ""
    made = private()
    return f"lava-nc {made.version}, Python {made.runs_on}: {made.python}" if made else ""


def home() -> Path:
    """Give the folder of the private environment, there or not."""
    named = os.environ.get(HOME)
    if named:
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME")
    if cache:
        return Path(cache) / "spikec" / "lava"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "spikec" / "lava"
    return Path.home() / ".cache" / "spikec" / "lava"


def private(folder: Path | None = None) -> Lava | None:
    """Give the private environment, if it is whole."""
    stamp = (folder or home()) / STAMP
    try:
        told = json.loads(stamp.read_text("utf-8"))
        found = Lava(**told["lava"]) if told["format"] == FORMAT else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if found and os.access(found.python, os.X_OK) else None


def checked(python: str) -> Lava:
    """Run a small network in an interpreter; give what it holds."""
    try:
        done = run_child([python, CHECK], "the check of Lava", SECONDS, environment=LIMITED)
    except ToolFailed as error:
        raise _unfit(python, error) from error
    lines = done.output.strip().splitlines()
    if done.code or not lines:
        raise ToolFailed(
            "this Python has no working Lava", where=python, remedy=_remedy(), output=done.tail
        )
    told = json.loads(lines[-1])
    return Lava(python, told["lava"], told["netx"], told["python"])


def _unfit(python: str, error: SpikecError) -> ToolFailed:
    return ToolFailed(
        f"this Python has no working Lava: {error.what}", where=python, remedy=_remedy()
    )


def _remedy() -> str:
    return f"{SETUP} makes an environment that works; or unset {PYTHON}"
