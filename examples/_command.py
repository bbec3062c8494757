"""How an example runs as a command, and what all of them print.

Nothing heavy is imported here, so that a Ctrl-C while torch is loaded finds :func:`interruptible`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spikec.errors import SpikecError, UsageError

OK, FAILED, MISUSE, INTERRUPTED = 0, 1, 2, 130
"""exit codes, those of ``spikec``"""
Told = dict[str, Any]
EQUAL = "equal"
"""entry of what is told: whether the exported network does what the program does"""


@contextmanager
def interruptible() -> Iterator[None]:
    """End the process with one word where Ctrl-C is pressed in here."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(_interrupted("interrupted"))


def _interrupted(told: str) -> int:
    print(told, file=sys.stderr)
    # Python 3.11 ends by the signal, whatever is done here, where the interrupt came through an
    # exec of text, as dataclasses have; the next such exec makes it forget.
    exec("")
    return INTERRUPTED


def run(make: Callable[[], Told], show: Callable[[Told, Path], None], out: Path) -> int:
    """Make, keep what came out as ``result.json``, show it; a mistake is told in one block.

    The exit codes are those of ``spikec``: 1 where an export is not equal, 2 for a mistake.
    """
    try:
        told = make()
        keep(out / "result.json", json.dumps(told, indent=1))
    except (SpikecError, OSError) as error:
        print(error, file=sys.stderr)
        return MISUSE
    except KeyboardInterrupt:
        standing = "nothing is kept yet"
        if any(out.glob("*.checkpoint")):
            standing = "with --resume it goes on from the last checkpoint"
        return _interrupted(f"interrupted; {standing}")
    show(told, out)
    return OK if told[EQUAL] else FAILED


def begin(out: Path, checkpoints: Sequence[str], resume: bool) -> None:
    """Make the folder, and look for checkpoints of an earlier run.

    With ``resume`` one of them has to be there: a wrong --out would begin anew, unnoticed.
    Without it they are removed: no later run can go on from them.
    """
    found = [out / name for name in checkpoints if (out / name).exists()]
    if resume and not found:
        raise UsageError(
            "no checkpoint to go on from",
            where=str(out),
            expected=" or ".join(checkpoints),
            remedy="name the --out of the run that was stopped, or begin anew without --resume",
        )
    out.mkdir(parents=True, exist_ok=True)
    if not resume:
        for path in found:
            path.unlink()


def keep(path: Path, content: str | bytes) -> None:
    """Write a file that is there whole or not at all."""
    from spikec.ir.atomic import replace_file  # imports NumPy

    with replace_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def show_energy(energy_pj: Mapping[str, float], what: str) -> None:
    """Print the energy of a sample, beside that of the networks that it is compared with."""
    told = ", ".join(f"{name} {pj / 1000:,.1f}" for name, pj in energy_pj.items())
    print(f"energy per {what} in nJ: {told}")
