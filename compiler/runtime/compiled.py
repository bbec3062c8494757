"""Compiles C sources into shared libraries, once per user, source, compiler and processor."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path

COMPILERS = ("cc", "gcc", "clang")
EXACT = ("-std=c11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
"""No option may change a number: the last two only speak of errno and of signals."""
FLAGS = ((*EXACT, "-march=native"), EXACT)
"""The first that the compiler takes."""
PATIENCE = 120
"""Seconds for one compilation."""
SWITCH = "SPIKEC_NATIVE"
"""Environment variable; 0 turns compiled code off."""


class BuildError(Exception):
    """No library: the message says why."""


def wanted() -> bool:
    """May compiled code be used at all?"""
    return os.environ.get(SWITCH, "1") != "0"


def build(file: Traversable, defines: tuple[str, ...] = ()) -> Path:
    """Give the library of a source with these ``-D``, compiled now unless it has been before."""
    compiler = find_compiler()
    source, stem = file.read_bytes(), file.name.removesuffix(".c")
    identity = (_version(compiler), *compiler, *FLAGS[0], *defines, _processor())
    key = hashlib.sha256(source + "\0".join(identity).encode()).hexdigest()[:32]
    target = cache_folder() / f"{stem}-{key}.so"
    if not _is_whole(target):
        try:
            _compile(compiler, source, defines, target)
        except OSError as error:  # a full disk, or a compiler that leaves nothing behind
            raise BuildError(f"{compiler[0]} gave no library: {error}") from error
    return target


def find_compiler() -> tuple[str, ...]:
    """Give the command of a C compiler: that of the variable CC, else the first that there is."""
    named = shlex.split(os.environ.get("CC", ""))
    for command in [named] if named else [[name] for name in COMPILERS]:
        path = shutil.which(command[0])
        if path is not None:
            return (path, *command[1:])
    raise BuildError(f"no C compiler ({', '.join(named[:1] or COMPILERS)})")


def cache_folder() -> Path:
    """Give this user's private folder for compiled code; create it where need be."""
    for folder in _candidates():
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if _is_private(folder):
                return folder
        except OSError:
            continue
    raise BuildError("no folder for compiled code can be written")


def _candidates() -> Iterator[Path]:
    named = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    with contextlib.suppress(RuntimeError):  # a user without a home
        yield (Path(named) if named else Path.home() / ".cache") / "spikec"
    who = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    yield Path(tempfile.gettempdir()) / f"spikec-{who}"


def _is_private(folder: Path) -> bool:
    """Refuse to load code from where others may write."""
    if not os.access(folder, os.W_OK):
        return False
    if not hasattr(os, "getuid"):
        return True
    status = folder.stat()
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _version(compiler: tuple[str, ...]) -> str:
    return _run([*compiler, "--version"])


def _processor() -> str:
    """Name the processor as precisely as the system does: code for one may not run on another."""
    details = [platform.machine(), platform.processor(), sys.platform]
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        details += sorted({row for row in lines if row.startswith(("model name", "flags", "CPU "))})
    return "\n".join(details)


def _compile(
    compiler: tuple[str, ...], source: bytes, defines: tuple[str, ...], target: Path
) -> None:
    """Compile beside the target, then rename: whoever else does so gives the same file."""
    problems = []
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="build-") as room:
        code, library = Path(room) / "source.c", Path(room) / target.name
        code.write_bytes(source)
        for flags in FLAGS:
            command = [*compiler, *flags, *defines, "-fPIC", "-shared", str(code), "-o"]
            try:
                _run([*command, str(library)])
            except BuildError as error:
                problems.append(str(error))
                continue
            _publish(library, target)
            return
    raise BuildError(problems[-1])


def _publish(library: Path, target: Path) -> None:
    checksum = library.with_suffix(".sum")
    checksum.write_text(_digest(library), encoding="ascii")
    os.replace(library, target)
    os.replace(checksum, target.with_suffix(".sum"))


def _is_whole(library: Path) -> bool:
    """Compare with the checksum: a torn file must not be loaded, it could crash the process."""
    try:
        expected = library.with_suffix(".sum").read_text(encoding="ascii")
        return _digest(library) == expected
    except (OSError, ValueError):
        return False


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"{command[0]}: {error}") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise BuildError(f"{command[0]} failed: {lines[0] if lines else done.returncode}")
    return done.stdout
