"""Compares imported PyTorch models with PyTorch: max |spikec - torch| / max |torch|, in float32.

    python benchmarks/import_torch.py [MODEL ...] [--limit 1e-4] [--json]

Each model is imported with a batch of 2 and run with batches of 2 and 3; its graph must survive
print and parse, save and load. Exit code 1 when a model
is further off than the limit, or cannot be imported.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils import _pytree as pytree

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.models import MODELS
from benchmarks.round_trips import check_round_trips
from spikec import runtime
from spikec.errors import SpikecError
from spikec.frontends.torch_export import import_model
from spikec.ir import Graph


@dataclass(frozen=True)
class Row:
    """What came out for one model; errors are None where it failed."""

    model: str
    route: str
    nodes: int
    error_batch_2: float | None
    error_batch_3: float | None
    import_seconds: float
    run_seconds: float
    failure: str = ""

    def passes(self, limit: float) -> bool:
        """Tell whether both errors keep to the limit."""
        errors = (self.error_batch_2, self.error_batch_3)
        return all(error is not None and error <= limit for error in errors)


def distance(model: nn.Module, graph: Graph, feed: dict[str, torch.Tensor]) -> float:
    """Give the largest relative error over all results."""
    with torch.no_grad():
        leaves = pytree.tree_leaves(model(*feed.values()) if "x" in feed else model(**feed))
    wanted = [leaf.numpy() for leaf in leaves if isinstance(leaf, torch.Tensor)]
    got = runtime.run(graph, tuple(tensor.numpy() for tensor in feed.values()))
    parts = got if isinstance(got, tuple) else (got,)
    return max(
        float(np.abs(a - b).max() / np.abs(a).max()) for a, b in zip(wanted, parts, strict=True)
    )


def measure(name: str) -> Row:
    """Import one model and run it."""
    model = MODELS[name].build()
    torch.manual_seed(1)
    feed = MODELS[name].draw(2)
    start = time.perf_counter()
    try:
        graph = import_model(model, tuple(feed.values()) if "x" in feed else feed, name=name)
    except SpikecError as error:
        return Row(name, "", 0, None, None, time.perf_counter() - start, 0.0, str(error))
    imported = time.perf_counter()
    check_round_trips(graph)
    errors = [distance(model, graph, MODELS[name].draw(batch)) for batch in (2, 3)]
    done = time.perf_counter()
    route = graph.notes["capture"]
    return Row(name, route, len(graph), errors[0], errors[1], imported - start, done - imported)


def rows(names: list[str], limit: float, quiet: bool) -> Iterator[Row]:
    """Measure models, telling each result at once."""
    if not quiet:
        print(f"{'model':<28}{'route':<14}{'nodes':>6}{'batch 2':>10}{'batch 3':>10}{'import':>9}")
    for name in names:
        row = measure(name)
        if not quiet:
            shown = [
                f"{e:.1e}" if e is not None else "-" for e in (row.error_batch_2, row.error_batch_3)
            ]
            print(
                f"{row.model:<28}{row.route:<14}{row.nodes:>6}{shown[0]:>10}{shown[1]:>10}"
                f"{row.import_seconds:>7.1f} s  {'ok' if row.passes(limit) else 'FAILED'}",
                flush=True,
            )
            if row.failure:
                print(row.failure)
        yield row


def main() -> int:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(MODELS), metavar="MODEL")
    parser.add_argument("--limit", type=float, default=1e-4)
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    measured = list(rows(options.models, options.limit, options.as_json))
    if options.as_json:
        print(json.dumps([asdict(row) for row in measured], indent=2))
    return 0 if all(row.passes(options.limit) for row in measured) else 1


if __name__ == "__main__":
    sys.exit(main())
