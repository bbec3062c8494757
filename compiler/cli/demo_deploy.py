"""Last part of the demo: every installed backend, verified; and the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikec.cli.backends import BackendState, states
from spikec.cli.demo_outcome import Outcome
from spikec.cli.digits import Digits
from spikec.cli.screen import Screen
from spikec.errors import SpikecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spikec.program import Program

SAMPLES = 4
"""digits that each tool runs"""
PLACED_BY = 64
"""digits whose events decide where neurons are placed"""
PAGE = "report.html"


def deploy(screen: Screen, outcome: Outcome, program: Program, data: Digits, folder: Path) -> None:
    """Export to every backend that is here, and let its tool run the export."""
    for backend in states():
        reason = _absent(backend)
        if reason:
            outcome.skipped[backend.name] = reason
            continue
        with screen.busy(f"running on {backend.name}"):
            lines = _verified(outcome, backend.name, program, data, folder)
        for line in lines:
            screen.say(line)


def _absent(backend: BackendState) -> str:
    """Say why a backend is left out, and how to get it."""
    if not backend.built:
        return "not in this version"
    return f"needs {', '.join(backend.missing)}; {backend.install}" if backend.missing else ""


def _verified(
    outcome: Outcome, backend: str, program: Program, data: Digits, folder: Path
) -> list[str]:
    promise = f"{backend}: every event is the engine's"
    try:
        prepared = PREPARED.get(backend, _as_it_is)(program, data.train_x[:PLACED_BY])
        artifact = prepared.export(backend, folder / backend)
        found = prepared.verify(backend, data.test_x[:SAMPLES], artifact)
    except SpikecError as error:
        outcome.check(promise, error.what, False)
        return [f"{backend}: {error}"]
    outcome.files.append(backend)
    outcome.exports[backend] = found.to_json()
    entries = sum(compared.entries for compared in found.compared)
    unequal = sum(compared.unequal for compared in found.compared)
    outcome.check(promise, f"{entries:,} compared, {unequal:,} unequal", found.ok)
    return [str(check) for check in found.checks]


def _as_it_is(program: Program, x: NDArray[Any]) -> Program:
    return program


def _placed(program: Program, x: NDArray[Any]) -> Program:
    from spikec.api import lower

    return lower(program, "sanafe-loihi", x)


PREPARED: dict[str, Callable[[Program, NDArray[Any]], Program]] = {"sanafe_chip": _placed}
"""what a backend wants done with a program first"""


def write_report(
    screen: Screen, outcome: Outcome, program: Program, data: Digits, folder: Path
) -> None:
    """Write the page about a program, and hold its accuracy against the table's."""
    from spikec.evaluation import Evaluation

    with screen.counting("writing the report", len(data.test_y)) as progress:
        found = program.report(folder / PAGE, (data.test_x, data.test_y), progress=progress)
    outcome.files.append(PAGE)
    size = (folder / PAGE).stat().st_size
    told = outcome.programs[0]
    seen = found.activity
    same = isinstance(seen, Evaluation) and seen.accuracy == told.accuracy
    outcome.check(
        "the report tells the same accuracy", f"{told.accuracy:.2%}, {size:,} bytes", same
    )
    equal = found.energy is not None and found.energy.total_pj == told.energy_pj
    outcome.check("and the same energy", f"{told.energy_pj / 1000:.1f} nJ a digit", equal)
