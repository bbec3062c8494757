"""Loihi 1 by the profile `loihi1-sanafe`, beside SANA-FE's simulation of the same placed program.

    python -m benchmarks.energy_sanafe [--images 10] [--steps 16] [--rows mlp ...] [--json]

Networks, conversion and chip are those of `benchmarks/export_sanafe.py`.  The same images are
counted here and simulated there; energies are split by cause, and counts stand beside counts.
Needs the package `sanafe`; data as in `benchmarks/mnist_nets.py`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import spikec
from benchmarks import mnist_nets
from benchmarks.export_sanafe import CALIBRATION, ROWS, converted
from spikec.energy.counts import Counts
from spikec.energy.result import Energy
from spikec.ir import Array, Sizes, ops
from spikec.runtime import trace

LAYERS = (ops.Linear, ops.Conv)
NETS = ("mlp", "lenet", "residual")
CAUSES: Mapping[str, str] = {
    "synapses": "synapse_energy_j",
    "neurons": "soma_energy_j",
    "network": "network_energy_j",
}
COUNTS: Mapping[str, tuple[str, str]] = {
    "synaptic operations": ("acs", "spikes"),
    "updates": ("updates", "updated"),
    "events": ("events", "fired"),
    "messages": ("messages", "packets"),
    "hops": ("hops", "hops"),
}


def main() -> None:
    """Convert, lower, simulate, estimate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--rows", nargs="+", default=list(NETS), choices=NETS)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    split = mnist_nets.data()
    rows = []
    for name in chosen.rows:
        program = converted(ROWS[name], split.train_x[:CALIBRATION], chosen.steps)
        rows.append(compared(name, program, split.test_x[: chosen.images]))
    print(json.dumps(rows, indent=1)) if chosen.json else show(rows)


def compared(name: str, program: spikec.Program, images: Any) -> dict[str, Any]:
    """Give means of an image: energies by cause in pJ, and counts; here, then there."""
    ours = program.energy(images, "loihi1-sanafe")
    with tempfile.TemporaryDirectory() as folder:
        artifact = program.export("sanafe_chip", Path(folder) / "net")
        check = program.verify("sanafe_chip", images, artifact)
        assert check.ok, str(check)
        steps = json.loads((artifact.folder / "results.json").read_text("utf-8"))["steps"]
    theirs = {key: float(np.sum(rows, axis=1).mean()) for key, rows in steps.items()}
    energies = {
        cause: (mine, 1e12 * theirs[key])
        for (cause, key), mine in zip(CAUSES.items(), by_cause(ours), strict=True)
    }
    energies["all"] = (ours.total_pj, 1e12 * theirs["energy_j"])
    counts: dict[str, tuple[float, float]] = {
        what: (counted(ours.counts, mine), theirs[key]) for what, (mine, key) in COUNTS.items()
    }
    connected = without_zeros(program, images)
    counts["the same, weights of 0 left out"] = (connected, counts["synaptic operations"][1])
    return {"name": name, "energy_pj": energies, "counts": counts}


def without_zeros(program: spikec.Program, images: Any) -> float:
    """Count Σ events · connections whose weight is not 0, by running layers on weights of 1."""
    graph = program.graph
    kinds = (*LAYERS, ops.Mul, ops.Neuron)
    nodes = [n for n in graph if isinstance(n.op, kinds) and not n.inputs[0].type.is_static]
    names = frozenset(value.name for node in nodes for value in node.inputs)
    seen = trace(graph, program.inputs(images), record=names, steps=program.steps)
    total = 0.0
    for node in nodes:
        arrays = tuple(np.asarray(seen.values[value.name]) for value in node.inputs)
        op = node.op
        if isinstance(op, ops.Neuron):  # a synapse of weight 1 for each event that comes straight
            total += np.count_nonzero(arrays[0]) * node.inputs[0].type.is_spikes
            continue
        if isinstance(op, LAYERS):
            present = (op.weight.data != 0).astype(np.float32)
            op = replace(op, weight=Array(present), bias=None)
        else:
            arrays = (arrays[0], (arrays[1] != 0).astype(np.float32))
        (y,) = op.run(arrays, Sizes(len(images), program.steps))
        total += float(np.sum(y, dtype=np.float64))
    return total / len(images)


def by_cause(energy: Energy) -> tuple[float, float, float]:
    """Split an estimate as SANA-FE does."""
    parts = energy.energy
    return float(parts.acs), float(parts.updates + parts.events), float(parts.messages)


def counted(counts: Counts, name: str) -> float:
    """Give a count; hops are those of both directions."""
    if name == "hops":
        return float(counts.hops_x + counts.hops_y)
    return float(getattr(counts, name))


def show(rows: list[dict[str, Any]]) -> None:
    """Print a row for each quantity."""
    print("| network | quantity | profile | SANA-FE | difference |")
    print("|---|---|---|---|---|")
    for row in rows:
        told = {f"{what} (nJ)": (a / 1e3, b / 1e3) for what, (a, b) in row["energy_pj"].items()}
        for what, (ours, theirs) in {**told, **row["counts"]}.items():
            off = f"{(ours - theirs) / theirs:+.2%}" if theirs else ""
            print(f"| {row['name']} | {what} | {ours:,.1f} | {theirs:,.1f} | {off} |")


if __name__ == "__main__":
    main()
