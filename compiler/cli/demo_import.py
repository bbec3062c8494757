"""First part of the demo: a small network, imported by every route and held against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikec.cli import digits as work
from spikec.cli.demo_outcome import Outcome
from spikec.cli.screen import Screen
from spikec.cli.tables import node_table

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from spikec.ir import Graph

BOUND = 1e-4
"""largest difference to PyTorch, as a share of PyTorch's largest output"""
LEAST_ACCURACY = 0.9


def train_and_import(
    screen: Screen, outcome: Outcome, data: work.Digits, folder: Path, seed: int
) -> Graph:
    """Train a network and import it by every route; give the graph of the last one."""
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
    graphs: list[Graph] = []
    for route, load in _routes(outcome, network, data, folder).items():
        with screen.busy(f"importing from {route}"):
            graph = load()
            _compare(outcome, route, graph, data, expected)
            _keep(outcome, route, graph, folder / f"digits_{route.lower()}.spk")
        graphs.append(graph)
    _show(screen, graphs[0])
    return graphs[0]


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
        outcome.files.append(path.name)
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
    outcome.files.append(path.name)
    reloaded, _ = load(path)
    size = f"{path.stat().st_size:,} bytes"
    outcome.check(f"from {route}: saved and loaded, it is the same", size, reloaded == graph)
    text = print_graph(graph)
    same = parse(text, graph.arrays()) == graph
    outcome.check(f"from {route}: printed and parsed, too", f"{len(text):,} characters", same)


def _accuracy(outputs: NDArray[Any], labels: NDArray[Any]) -> float:
    return float((outputs.argmax(axis=1) == labels).mean())


def _show(screen: Screen, graph: Graph) -> None:
    from spikec.report.rows import rows

    screen.show(node_table(graph, rows(graph)))
