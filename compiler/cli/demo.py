"""``spikec demo``: train a small network, import it by every route, and check what comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from spikec.cli import digits as work
from spikec.cli.options import Debug, Json, Quiet
from spikec.cli.screen import Screen
from spikec.cli.tables import node_table
from spikec.errors import UsageError

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from spikec.ir import Graph

BOUND = 1e-4
"""largest difference to PyTorch, as a share of PyTorch's largest output"""
LEAST_ACCURACY = 0.9


@dataclass(frozen=True)
class Check:
    """One promise, what was found, and whether it holds."""

    promise: str
    found: str
    holds: bool


@dataclass
class Outcome:
    """What the demo has seen so far."""

    accuracy: dict[str, float] = field(default_factory=dict)
    difference: dict[str, float] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    def check(self, promise: str, found: str, holds: bool) -> None:
        """Note a promise."""
        self.checks.append(Check(promise, found, holds))

    @property
    def passed(self) -> bool:
        return all(check.holds for check in self.checks)


def demo(
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the files (.onnx, .spk) there.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of training.")] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Train a small network on digits, import it, run it again, and check the results."""
    screen = Screen(as_json=as_json, quiet=quiet)
    with _folder(out) as folder:
        outcome = _play(screen, folder, seed)
    if out is None:
        outcome.files.clear()  # they were temporary
    if as_json:
        screen.document({"passed": outcome.passed, **asdict(outcome)})
    else:
        _print(screen, outcome)
    raise typer.Exit(int(not outcome.passed))


def _play(screen: Screen, folder: Path, seed: int) -> Outcome:
    """Do everything, and note what is seen."""
    outcome = Outcome()
    data = work.load_digits(seed)
    with screen.busy("training", work.EPOCHS) as advance:
        network = work.trained_network(data, seed, advance)
    expected = work.answers(network, data.test_x)
    outcome.accuracy["PyTorch"] = accuracy = _accuracy(expected, data.test_y)
    screen.say(
        f"trained on {len(data.train_y)} digits: {accuracy:.2%} of the other {len(data.test_y)} "
        "right in PyTorch"
    )
    outcome.check(
        f"accuracy >= {LEAST_ACCURACY:.0%}", f"{accuracy:.2%}", accuracy >= LEAST_ACCURACY
    )
    for route, load in _routes(outcome, network, data, folder).items():
        with screen.busy(f"importing from {route}"):
            graph = load()
        _show(screen, graph)
        with screen.busy("running"):
            _compare(outcome, route, graph, data, expected)
        _keep(outcome, route, graph, folder / f"digits_{route.lower()}.spk")
    return outcome


def _routes(
    outcome: Outcome, network: torch.nn.Module, data: work.Digits, folder: Path
) -> dict[str, Callable[[], Graph]]:
    """Name the ways in; one that is closed here is noted with its reason."""
    from spikec.api import import_model

    routes = {"PyTorch": lambda: import_model(network, data.test_x[:2], name="digits")}
    path = folder / "digits.onnx"
    if find_spec("onnxscript") is None:
        reason = "PyTorch exports ONNX with onnxscript, which is not installed"
        outcome.skipped["ONNX"] = f'{reason}; pip install "spikec[demo]"'
        return routes

    def through_onnx() -> Graph:
        work.export_onnx(network, data, path)
        outcome.files.append(str(path))
        return import_model(path, name="digits")

    return {**routes, "ONNX": through_onnx}


def _compare(
    outcome: Outcome, route: str, graph: Graph, data: work.Digits, expected: NDArray[Any]
) -> None:
    """Run the graph and hold its outputs against PyTorch's."""
    import numpy as np

    from spikec.runtime import run

    found = np.asarray(run(graph, data.test_x))
    difference = float(np.abs(found - expected).max() / np.abs(expected).max())
    outcome.difference[route] = difference
    outcome.accuracy[f"spikec, from {route}"] = accuracy = _accuracy(found, data.test_y)
    promise = f"from {route}: difference to PyTorch <= {BOUND:g}"
    outcome.check(promise, f"{difference:.1e}", difference <= BOUND)
    same = accuracy == outcome.accuracy["PyTorch"]
    outcome.check(f"from {route}: same accuracy", f"{accuracy:.2%}", same)


def _keep(outcome: Outcome, route: str, graph: Graph, path: Path) -> None:
    """Save and print the graph, and read both back."""
    from spikec.ir.parser import parse
    from spikec.ir.printer import print_graph
    from spikec.ir.store import load, save

    save(graph, path)
    outcome.files.append(str(path))
    reloaded, _ = load(path)
    size = f"{path.stat().st_size:,} bytes"
    outcome.check(f"from {route}: saved and loaded, it is the same", size, reloaded == graph)
    text = print_graph(graph)
    same = parse(text, graph.arrays()) == graph
    outcome.check(f"from {route}: printed and parsed, too", f"{len(text):,} characters", same)


def _accuracy(outputs: NDArray[Any], labels: NDArray[Any]) -> float:
    return float((outputs.argmax(axis=1) == labels).mean())


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    """Give the folder for files: the user's, or one that is gone afterwards."""
    import tempfile  # `--help` can do without

    if out is None:
        with tempfile.TemporaryDirectory(prefix="spikec-demo-") as folder:
            yield Path(folder)
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out: {error.strerror}", where=str(out)) from None
    yield out


def _show(screen: Screen, graph: Graph) -> None:
    from spikec.report.rows import rows

    screen.show(node_table(graph, rows(graph)))


def _print(screen: Screen, outcome: Outcome) -> None:
    table = Table("check", "found", "", box=box.SIMPLE_HEAD, pad_edge=False)
    for check in outcome.checks:
        verdict = Text("ok", "green") if check.holds else Text("FAILED", "red")
        table.add_row(check.promise, check.found, verdict)
    screen.show(table)
    for route, reason in outcome.skipped.items():
        screen.say(f"skipped {route}: {reason}")
    for file in outcome.files:
        screen.say(f"wrote {file}")
    screen.say("all checks hold" if outcome.passed else "a check failed")
