"""Makes the environment that Lava runs in: lava-nc cannot be installed beside spikec."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from spikec.backends.lava_net.environment import (
    FORMAT,
    STAMP,
    Lava,
    checked,
    home,
    private,
)
from spikec.errors import BadFile, ToolFailed, UsageError
from spikec.executor import Finished, run_child

Say = Callable[[str], None]
OLDEST = (3, 10)
ALONE = ("lava-nc==0.10.0", "lava-dl==0.6.0")
"""the last releases: they declare Python 3.10 and old packages, but run without asking for them"""
WITH = ("numpy>=1.26,<2.4", "scipy>=1.10", "networkx==2.8.7", "asteval>=0.9.31", "h5py>=3.7,<4")
"""what they import"""
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input")
SECONDS = 1800.0
_INSTALL = (
    "check the network, and pip's settings (PIP_INDEX_URL, PIP_PROXY); or name a Python that has "
    "lava-nc already: spikec lava-setup --python PATH"
)


def setup(
    folder: Path | None = None,
    python: str | None = None,
    *,
    again: bool = False,
    say: Say = lambda line: None,
) -> Lava:
    """Give the environment in ``folder``, made where there is none that works.

    ``python`` is used as it is if it has Lava, else the environment is made from it.
    """
    place = (folder or home()).absolute()
    there = None if again or python else _working(place, say)
    if there:
        return there
    base = python or sys.executable
    version = _version(base)
    if version < OLDEST:
        raise UsageError(
            f"Python {version[0]}.{version[1]}", where=base, expected="Python 3.10 or newer"
        )
    _make_room(place)
    found = _own(base, say) if python and not again else None
    if found is None:
        found = _made(base, place, say)
    else:
        place.mkdir(exist_ok=True)
    _stamp(place, found)
    return found


def _working(place: Path, say: Say) -> Lava | None:
    """Check an environment that calls itself ready."""
    there = private(place)
    if there is None:
        return None
    say(f"checking {there.python}")
    try:
        return checked(there.python)
    except ToolFailed as error:
        say(f"it does not work any more ({error.what}): it is made anew")
        return None


def _own(base: str, say: Say) -> Lava | None:
    """Use an interpreter that has Lava already."""
    say(f"checking whether {base} has Lava")
    try:
        return checked(base)
    except ToolFailed:
        return None


def _made(base: str, place: Path, say: Say) -> Lava:
    """Make a virtual environment beside its place, then move it there and check it."""
    fresh = place.with_name(f".{place.name}.{secrets.token_hex(6)}.tmp")
    inner = fresh / "bin" / "python"
    try:
        say(f"making an environment of {base} in {place}")
        _must(
            [base, "-m", "venv", fresh],
            "python -m venv",
            "install python3-venv, where it is missing",
        )
        say(f"installing {' '.join(ALONE)}")
        _must([inner, *PIP, "--no-deps", "--ignore-requires-python", *ALONE], "pip", _INSTALL)
        say(f"installing {' '.join(WITH)}")
        _must([inner, *PIP, *WITH], "pip", _INSTALL)
        shutil.rmtree(place, ignore_errors=True)
        os.replace(fresh, place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    say("running a small network in it")
    return checked(str(place / "bin" / "python"))


def _must(command: list[str | Path], name: str, remedy: str) -> Finished:
    done = run_child(command, name, SECONDS, remedy=remedy)
    if done.code:
        what = f"{name} failed (exit code {done.code})"
        where = " ".join(map(str, command))
        raise ToolFailed(what, where=where, remedy=remedy, output=done.tail)
    return done


def _version(python: str) -> tuple[int, int]:
    code = "import sys; print(*sys.version_info[:2])"
    done = run_child([python, "-c", code], python, 60, remedy="name another with --python")
    numbers = done.output.split()
    if done.code or len(numbers) != 2:
        raise ToolFailed("this is no Python", where=python, output=done.tail)
    return int(numbers[0]), int(numbers[1])


def _make_room(place: Path) -> None:
    """Refuse a folder that is somebody else's."""
    ours = not place.exists() or (place / "pyvenv.cfg").exists() or (place / STAMP).exists()
    if not ours and (not place.is_dir() or any(place.iterdir())):
        raise UsageError(
            "this holds something else than an environment for Lava",
            where=str(place),
            remedy="choose another folder",
        )
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        (place / STAMP).unlink(missing_ok=True)  # from here on it is no good one
    except OSError as error:
        what = f"the folder cannot be written: {error.strerror}"
        raise BadFile(what, where=str(place.parent), remedy="choose another folder") from error


def _stamp(place: Path, found: Lava) -> None:
    """Say that the environment is whole."""
    text = json.dumps({"format": FORMAT, "lava": asdict(found)}, indent=2)
    fresh = place / f".{STAMP}.tmp"
    try:
        fresh.write_text(text + "\n", "utf-8")
        os.replace(fresh, place / STAMP)
    except OSError as error:
        what = f"the folder cannot be written: {error.strerror}"
        raise BadFile(what, where=str(place), remedy="choose another folder") from error
