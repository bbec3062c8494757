"""Runs a tool as a child, with a time limit that ends it together with all that it has started."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from spikec.errors import ToolFailed, UsageError

TAIL = 20
"""lines of a child's last words that an error shows"""


@dataclass(frozen=True)
class Finished:
    """What a child said, and how it ended."""

    code: int
    output: str
    """standard output and errors, in the order of their coming"""
    seconds: float

    @property
    def tail(self) -> str:
        """The last lines."""
        return "\n".join(self.output.rstrip().splitlines()[-TAIL:])


def time_limit(variable: str, given: float | None, default: float) -> float:
    """Give the seconds that a child may take: the given ones, or those of the environment."""
    text = os.environ.get(variable, "") if given is None else str(given)
    try:
        seconds = float(text or default)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        where = variable if given is None else "limit"
        raise UsageError(f"{where} = {text!r}", expected="a number of seconds above 0")
    return seconds


def run_child(
    command: Sequence[str | Path],
    name: str,
    limit: float,
    *,
    environment: Mapping[str, str] | None = None,
    remedy: str = "",
) -> Finished:
    """Run a command in a process group of its own; whatever it leaves behind is ended.

    ``name`` is the tool's, for errors: one for a command that cannot be started, and one for a
    child that takes longer than ``limit`` seconds.  How it ended is left to the caller.
    """
    start = time.monotonic()
    with tempfile.TemporaryFile() as output:  # a pipe would stay open in processes left behind
        child = _started(command, name, output, {**os.environ, **(environment or {})})
        try:
            code = child.wait(limit)
        except subprocess.TimeoutExpired:
            end_group(child)
            told = _read(output)
            raise ToolFailed(
                f"{name} was ended: it had not come to an end after {limit:g} seconds",
                where=" ".join(map(str, command)),
                remedy=remedy,
                output=Finished(-signal.SIGTERM, told, limit).tail,
            ) from None
        finally:
            end_group(child)
        return Finished(code, _read(output), time.monotonic() - start)


def _started(
    command: Sequence[str | Path], name: str, output: IO[bytes], environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )
    except OSError as error:
        what = f"{name} cannot be started: {error.strerror or error}"
        raise ToolFailed(what, where=" ".join(map(str, command))) from error


def end_group(child: subprocess.Popen[bytes]) -> None:
    """End a child and every process of its group that is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    child.wait()


def _read(output: IO[bytes]) -> str:
    output.seek(0)
    return output.read().decode("utf-8", "replace")
