"""How an example runs as a command, and what all of them print."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spikec.errors import SpikecError

Told = dict[str, Any]


def run(make: Callable[[], Told], show: Callable[[Told, Path], None], out: Path) -> int:
    """Make, keep what came out as ``result.json``, show it; a mistake is told in one block."""
    try:
        told = make()
    except SpikecError as error:
        print(error, file=sys.stderr)
        return 1
    (out / "result.json").write_text(json.dumps(told, indent=1), "utf-8")
    show(told, out)
    return 0


def show_energy(energy_pj: Mapping[str, float], what: str) -> None:
    """Print the energy of a sample, beside that of the networks that it is compared with."""
    told = ", ".join(f"{name} {pj / 1000:,.1f}" for name, pj in energy_pj.items())
    print(f"energy per {what} in nJ: {told}")
