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
from pathlib import Path
from typing import Any

import numpy as np
import torch

import spikec
from benchmarks import mnist_nets
from benchmarks.export_sanafe import CALIBRATION, ROWS, converted
from spikec.energy.counts import Counts
from spikec.energy.result import Energy

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
    counts = {
        what: (counted(ours.counts, mine), theirs[key]) for what, (mine, key) in COUNTS.items()
    }
    return {"name": name, "energy_pj": energies, "counts": counts}


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
