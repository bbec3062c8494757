"""Finds targets: those that come with spikec, those of a user's folder, and files by path."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spikec.errors import BadFile, UsageError
from spikec.target.model import Target
from spikec.target.read import nearest, read_target

FOLDER = "SPIKEC_TARGETS"
"""the environment variable that names a user's folder of targets"""
_OWN = Path(__file__).parent / "data"
_VALUE = {"value", "source"}


def targets() -> dict[str, Target]:
    """Give all targets by name: a user's file replaces one of the same name."""
    return {name: _read(path) for name, path in _files().items()}


def load_target(name: str | os.PathLike[str]) -> Target:
    """Give a target by its name, or from a ``.toml`` file.

    >>> load_target("loihi1").limits.neurons_per_core.value
    1024
    """
    path = Path(name)
    if path.suffix == ".toml" or isinstance(name, os.PathLike):
        if not path.is_file():
            raise BadFile("no such file", where=str(path), expected="a target as a .toml file")
        return _read(path)
    files = _files()
    if str(name) not in files:
        raise UsageError(
            f"no target {str(name)!r}",
            expected=", ".join(files),
            remedy=nearest(str(name), files) or "or the path of a .toml file",
        )
    return _read(files[str(name)])


def user_folder() -> Path:
    """Give the folder of the user's own targets, there or not."""
    named = os.environ.get(FOLDER)
    if named:
        return Path(named)
    config = os.environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path.home() / ".config") / "spikec" / "targets"


def _files() -> dict[str, Path]:
    folder = user_folder()
    if os.environ.get(FOLDER) and not folder.is_dir():
        raise UsageError("no such folder", where=f"{FOLDER}={folder}", remedy="make it or unset it")
    return _own_files() | {path.stem: path for path in sorted(folder.glob("*.toml"))}


def _read(path: Path) -> Target:
    return read_target(_table(path, ()), path.stem, str(path))


def _table(path: Path, seen: tuple[Path, ...]) -> Mapping[str, Any]:
    """Read a file; with ``base`` it says only what differs from another target."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadFile("not a TOML file", where=str(path), expected=str(error)) from error
    base = table.pop("base", None)
    if base is None:
        return table
    return _merged(_table(_base(base, path, (*seen, path)), (*seen, path)), table)


def _base(name: object, path: Path, seen: tuple[Path, ...]) -> Path:
    """Give the file that another stands on: a user's own, but none that stands on this one."""
    files = {stem: file for stem, file in _files().items() if file not in seen}
    files = _own_files() | files
    if not isinstance(name, str) or name not in files or files[name] in seen:
        remedy = nearest(str(name), files)
        raise BadFile(f"base = {name!r}", where=str(path), expected=", ".join(files), remedy=remedy)
    return files[name]


def _own_files() -> dict[str, Path]:
    return {path.stem: path for path in sorted(_OWN.glob("*.toml"))}


def _merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Replace facts; go into tables of facts."""
    result = dict(base)
    for key, value in own.items():
        old = result.get(key)
        tables = isinstance(old, Mapping) and isinstance(value, Mapping)
        inner = tables and not (_VALUE & set(value))
        result[key] = _merged(result[key], value) if inner else value
    return result
