"""Counts of operations beside those of NeuroBench, SpikingJelly and torch's FlopCounterMode.

    python -m benchmarks.energy_peers [--images 8] [--steps 8] [--json]

Three networks for MNIST are converted by recipe `rate`.  What enters each layer with weights is
recorded and given to the tools, each in an environment of its own (``SPIKEC_ENVIRONMENTS``): same
weights, same inputs, layer by layer.  Every relation that `docs/energy.md` states is checked as an
equality of whole numbers; one that fails ends the program with 1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import spikec
from benchmarks import mnist_nets
from benchmarks.nir_environments import PEERS, TORCH, Environment, interpreter
from spikec.energy.count import count_static
from spikec.energy.result import LayerEnergy
from spikec.ir import Node, Spikes, Value, ops
from spikec.runtime import trace

Numbers = NDArray[Any]
NEUROBENCH = Environment(
    "neurobench",
    (f"torch=={TORCH}", "numpy", "numba", "tqdm"),
    ("neurobench==2.3.0", "snntorch==1.0.0"),
)
"""its data sets ask for torchaudio and tonic, which are not used here"""
TOOLS: Mapping[str, Environment] = {"neurobench": NEUROBENCH, "spikingjelly": PEERS}
NETS: Mapping[str, Callable[[], nn.Module]] = {
    "mlp": mnist_nets.mlp,
    "residual": mnist_nets.residual,
    "lenet": mnist_nets.lenet,
}
JOB = Path(__file__).with_name("energy_peers_job.py")
WEIGHTED = (ops.Linear, ops.Conv)


@dataclass(frozen=True)
class Row:
    """A layer of one image, as each tool counts it."""

    net: str
    layer: str
    fed_by: str
    """image, events or pooled events"""
    acs: float
    macs: float
    neurobench: Mapping[str, float]
    spikingjelly: Mapping[str, float]
    broken: tuple[str, ...]
    """relations that do not hold"""


def main() -> int:
    """Record, count, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    split = mnist_nets.data()
    rows: list[Row] = []
    flops: dict[str, tuple[int, int]] = {}
    for name, build in NETS.items():
        net = build()
        program = spikec.convert(
            net, split.train_x[:256], chosen.steps, "rate", example_input=torch.zeros(1, 1, 28, 28)
        )
        rows += compared(name, program, split.test_x[: chosen.images])
        flops[name] = torch_flops(net), sum(r.work.flops for r in count_static(program.reference))
    told = {"layers": [asdict(row) for row in rows], "flops": flops}
    print(json.dumps(told, indent=1)) if chosen.json else show(rows, flops)
    return int(any(row.broken for row in rows) or any(a != b for a, b in flops.values()))


def torch_flops(net: nn.Module) -> int:
    """Count multiplications by torch: two flops a MAC."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, 1, 28, 28))
    return int(counter.get_total_flops()) // 2


def compared(net: str, program: spikec.Program, images: Numbers) -> Iterator[Row]:
    """Give what spikec and the tools count in each layer."""
    nodes = [node for node in program.graph if isinstance(node.op, WEIGHTED)]
    inputs = recorded(program, nodes, images)
    counts = {layer.name: layer for layer in program.energy(images).layers}
    peers = {tool: peer_counts(tool, nodes, inputs) for tool in TOOLS}
    for index, node in enumerate(nodes):
        ours, x = counts[node.name], inputs[index]
        bench, jelly = peers["neurobench"][index], peers["spikingjelly"][index]
        fed = fed_by(node)
        broken = tuple(
            text
            for text, holds in RELATIONS[fed](ours, bench, jelly, x, program.steps)
            if not holds
        )
        counted = float(ours.counts.acs), float(ours.counts.macs)
        yield Row(net, node.name, fed, *counted, bench, jelly, broken)


def fed_by(node: Node) -> str:
    """Say what a layer reads."""
    if node.inputs[0].type.is_static:
        return "image"
    return "events" if node.inputs[0].type.is_spikes else "pooled events"


def recorded(program: spikec.Program, nodes: list[Node], images: Numbers) -> list[Numbers]:
    """Give what enters each layer, [steps, images, ...]; events as 0 and 1."""
    values = [node.inputs[0] for node in nodes]
    names = frozenset(value.name for value in values)
    seen = trace(program.graph, program.inputs(images), record=names, steps=program.steps)
    return [_steps(seen.values[v.name], v, program.steps) for v in values]


def _steps(array: Numbers, value: Value, steps: int) -> Numbers:
    if value.type.is_static:  # the tools run it at every step
        return np.broadcast_to(array, (steps, *array.shape)).astype(np.float32)
    signal = value.type.signal
    unit = signal.amplitude.data if isinstance(signal, Spikes) else np.float32(1)
    return np.asarray(array / unit, np.float32)


def peer_counts(tool: str, nodes: list[Node], inputs: list[Numbers]) -> list[dict[str, float]]:
    """Run a tool in its own environment."""
    arrays: dict[str, Any] = {f"x{i}": x for i, x in enumerate(inputs)}
    arrays |= {f"weight{i}": np.asarray(node.op.weight.data) for i, node in enumerate(nodes)}  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layers.npz"
        np.savez(path, layers=json.dumps([described(node.op) for node in nodes]), **arrays)
        command = [str(interpreter(TOOLS[tool])), str(JOB), tool, str(path)]
        ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: list[dict[str, float]] = json.loads(ran.stdout.splitlines()[-1])
    return found


def described(op: Any) -> dict[str, Any]:
    """Say how a layer is made."""
    if isinstance(op, ops.Linear):
        return {"kind": "linear"}
    options = {"stride": op.stride, "dilation": op.dilation, "groups": op.groups}
    return {"kind": "conv", "padding": [before for before, _ in op.padding], **options}


Relations = Iterator[tuple[str, bool]]


def of_image(
    ours: LayerEnergy,
    bench: Mapping[str, float],
    jelly: Mapping[str, float],
    x: Numbers,
    steps: int,
) -> Relations:
    """Both tools run the first layer at every step; one skips black pixels, one counts padding."""
    yield "NeuroBench Dense = T MACs", bench["Dense"] == steps * ours.counts.macs
    yield "NeuroBench Effective_MACs <= Dense", bench["Effective_MACs"] <= bench["Dense"]
    yield "SpikingJelly MACs = T FLOPs", jelly["MACs"] == steps * ours.flops


def of_events(
    ours: LayerEnergy,
    bench: Mapping[str, float],
    jelly: Mapping[str, float],
    x: Numbers,
    steps: int,
) -> Relations:
    """All count the synapses behind each event."""
    yield "NeuroBench Effective_ACs = ACs", bench["Effective_ACs"] == ours.counts.acs
    yield "NeuroBench Dense = T synapses", bench["Dense"] == steps * ours.synapses
    yield "SpikingJelly SynOps = ACs", jelly["SynOps"] == ours.counts.acs


def of_pooled(
    ours: LayerEnergy,
    bench: Mapping[str, float],
    jelly: Mapping[str, float],
    x: Numbers,
    steps: int,
) -> Relations:
    """The tools see means that are not 0 or 1, hence products."""
    yield "NeuroBench sees no event", bench["Effective_ACs"] == 0
    yield "NeuroBench Effective_MACs <= ACs", bool(bench["Effective_MACs"] <= ours.counts.acs)
    yield "SpikingJelly sees no event", jelly["SynOps"] == 0


RELATIONS: Mapping[str, Callable[..., Relations]] = {
    "image": of_image,
    "events": of_events,
    "pooled events": of_pooled,
}


def show(rows: list[Row], flops: Mapping[str, tuple[int, int]]) -> None:
    """Print a row a layer."""
    print(
        "| network | layer | fed by | ACs | MACs | NeuroBench ACs, MACs, Dense | SpikingJelly ",
        end="",
    )
    print("SynOps, MACs | relations |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        bench = ", ".join(f"{n:,.1f}" for n in _ordered(row.neurobench))
        jelly = ", ".join(f"{row.spikingjelly[key]:,.1f}" for key in ("SynOps", "MACs"))
        told = "; ".join(row.broken) or "hold"
        cells = (row.net, row.layer, row.fed_by, f"{row.acs:,.1f}", f"{row.macs:,.1f}")
        print(f"| {' | '.join((*cells, bench, jelly, told))} |")
    for net, (theirs, ours) in flops.items():
        same = "equal" if theirs == ours else "NOT EQUAL"
        print(f"{net}: FlopCounterMode / 2 = {theirs:,}, FLOPs here = {ours:,}: {same}")


def _ordered(counts: Mapping[str, float]) -> Iterator[float]:
    return (counts[key] for key in ("Effective_ACs", "Effective_MACs", "Dense"))


if __name__ == "__main__":
    sys.exit(main())
