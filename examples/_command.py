"""How an example runs as a command, and what all of them print."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spikec.cli.start import FAILED, INTERRUPTED, MISUSE, OK
from spikec.errors import SpikecError
from spikec.ir.atomic import replace_file

Told = dict[str, Any]
EQUAL = "equal"
"""entry of what is told: whether the exported network does what the program does"""


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
        print("interrupted; with --resume it goes on from the last checkpoint", file=sys.stderr)
        return INTERRUPTED
    show(told, out)
    return OK if told[EQUAL] else FAILED


def keep(path: Path, content: str | bytes) -> None:
    """Write a file that is there whole or not at all."""
    with replace_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def show_energy(energy_pj: Mapping[str, float], what: str) -> None:
    """Print the energy of a sample, beside that of the networks that it is compared with."""
    told = ", ".join(f"{name} {pj / 1000:,.1f}" for name, pj in energy_pj.items())
    print(f"energy per {what} in nJ: {told}")
