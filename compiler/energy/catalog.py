"""Finds profiles: those that come with spikec, and files by path."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from spikec.energy.profile import Profile
from spikec.energy.reading import read_profile
from spikec.errors import BadFile, UsageError
from spikec.target.read import nearest

_OWN = Path(__file__).parent / "data"
DEFAULT = "horowitz45-fp32"


def profiles() -> dict[str, Profile]:
    """Give all profiles by name."""
    return {name: _read(path) for name, path in _files().items()}


def load_profile(name: str | os.PathLike[str] | Profile) -> Profile:
    """Give a profile by its name, or from a ``.toml`` file.

    >>> load_profile("horowitz45-fp32").operations.ac.value
    0.9
    """
    if isinstance(name, Profile):
        return name
    path = Path(name)
    if path.suffix == ".toml" or isinstance(name, os.PathLike):
        if not path.is_file():
            raise BadFile("no such file", where=str(path), expected="a profile as a .toml file")
        return _read(path)
    files = _files()
    if str(name) not in files:
        raise UsageError(
            f"no energy profile {str(name)!r}",
            expected=", ".join(files),
            remedy=nearest(str(name), files) or "or the path of a .toml file",
        )
    return _read(files[str(name)])


def _files() -> dict[str, Path]:
    return {path.stem: path for path in sorted(_OWN.glob("*.toml"))}


def _read(path: Path) -> Profile:
    try:
        text = path.read_text("utf-8")
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadFile("not a TOML file", where=str(path), expected=str(error)) from error
    return read_profile(table, path.stem, str(path), text)
