"""Spikinghash and SpikeSR, small and trained, in every engine: events, energy, time per sample.

    python -m benchmarks.born_spiking [hash sr] [--samples 16] [--epochs 12] [--iterations 200]

Spikinghash learns synthetic clips (order, pause of 4 steps; class scores and codes of 16 bits),
SpikeSR photographs at twice the size.  Every event of the reference engine is compared with the
layerwise engine's, every event of onnxruntime too (`Program.verify`); an unequal one is replayed
in double precision, to tell ties from errors.  Energies are those of the papers' convention, from
the rates measured here.  Times are medians of rounds in which all take turns, one thread, as ratios
to the torch module's.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils import _pytree as pytree

import spikec
from examples.spikesr.images import SKIMAGE, Sizes, load_images
from examples.spikesr.making import Settings as SrSettings
from examples.spikesr.making import compiled
from examples.spikesr.making import trained as trained_sr
from examples.spikinghash.clips import Scene
from examples.spikinghash.making import Settings as HashSettings
from examples.spikinghash.making import converted
from examples.spikinghash.making import trained as trained_hash
from examples.spikinghash.samples import filmed
from spikec.artifact import Recorded
from spikec.backends.onnx_graph.running import session
from spikec.energy.convention import E_AC, E_MAC
from spikec.runtime.feed import held
from spikec.verification import Case, Check
from spikec.verification import compare as judged

ROUNDS = 5
Numbers = NDArray[Any]


@dataclass(frozen=True)
class Subject:
    """A trained network, its program, and samples as both take them."""

    module: nn.Module
    program: spikec.Program
    x: Numbers
    count: int


def hash_net(given: argparse.Namespace) -> Subject:
    """Train a Spikinghash that makes codes."""
    samples = filmed("order", Scene(pause=4))
    settings = replace(HashSettings(), bits=16, epochs=given.epochs)
    model, _ = trained_hash(settings, samples)
    program = converted(model, samples, samples.train[0].shape[1])
    x = np.moveaxis(samples.test[0][: given.samples], 0, 1)
    return Subject(model, program, np.ascontiguousarray(x), given.samples)


def sr_net(given: argparse.Namespace) -> Subject:
    """Train a SpikeSR."""
    images = load_images(SKIMAGE, Sizes(2, 48, 48))
    model = trained_sr(SrSettings(iterations=given.iterations), images.train)
    x = images.test.small[: given.samples]
    program = compiled(model, x)
    return Subject(model.resized((x.shape[-2], x.shape[-1])).eval(), program, x, len(x))


NETS: Mapping[str, Callable[[argparse.Namespace], Subject]] = {"hash": hash_net, "sr": sr_net}


def compare(name: str, one: Subject) -> None:
    """Print whether engines and onnxruntime do the same."""
    fast = one.program.run(one.x)
    with torch.no_grad():
        told = one.module(torch.from_numpy(one.x))
    wanted = pytree.tree_leaves(told)
    apart = max(
        float(np.abs(y - w.numpy()).max())
        for y, w in zip(fast.outputs.values(), wanted, strict=True)
    )
    print(f"{name}: outputs differ from the module's by at most {apart:.2g}")
    entries = sum(train.size for train in fast.spikes.values())
    print(f"  {fast.events:,} events, {fast.events / entries:.4f} an entry")
    print(f"  {engines(one)}")
    print(f"  {one.program.verify('onnx_graph', one.x, step=False)}")


def engines(one: Subject) -> Check:
    """Judge the reference engine as an export would be: is what is unequal a tie, or behind one?"""
    slow = one.program.run(one.x, engine="reference")
    recorded = Recorded(slow.outputs, slow.spikes, "spikec")
    graph, steps = one.program.graph, one.program.steps
    case = Case.of(graph, held(graph, one.program.inputs(one.x), steps), steps)
    return judged(case, recorded, ("runtime", "reference"), 1e-5)


def energies(one: Subject) -> None:
    """Print what a sample costs by Eq. 25 and 26 of Spikinghash: SOP = rate · T · FLOPs."""
    x = np.moveaxis(one.x, 0, 1) if one.program.reads_frames else one.x  # samples first
    paper = one.program.energy(x).convention
    print("\n| layer | FLOPs | T | rate | SOPs | nJ |\n|---|---|---|---|---|---|")
    for layer in paper.layers:
        numbers = f"{layer.flops:,.0f} | {layer.steps:g} | {layer.rate:.4f} | {layer.sop:,.0f}"
        print(f"| {layer.name} | {numbers} | {1e-3 * E_AC * layer.sop:,.1f} |")
    numbers = f"{paper.first_flops:,.0f} | all | | | {1e-3 * E_MAC * paper.first_flops:,.1f}"
    print(f"| those that take numbers | {numbers} |")
    print(f"| sum | | | | {paper.sop:,.0f} | {1e-3 * paper.total_pj:,.1f} |\n")


def times(one: Subject) -> dict[str, float]:
    """Give seconds per sample, by turns."""
    with tempfile.TemporaryDirectory() as folder:
        one.program.export("onnx_graph", Path(folder) / "net", step=False)
        model = session(Path(folder) / "net" / "sequence.onnx", threads=1)
    (name,) = (value.name for value in model.get_inputs())
    tensor = torch.from_numpy(one.x)

    def module() -> None:
        with torch.no_grad():
            one.module(tensor)

    ways: dict[str, Callable[[], Any]] = {
        "torch module": module,
        "layerwise": lambda: one.program.run(one.x),
        "reference": lambda: one.program.run(one.x, engine="reference"),
        "onnxruntime": lambda: model.run(None, {name: one.x}),
    }
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, run in ways.items():
            start = time.perf_counter()
            run()
            taken[way].append((time.perf_counter() - start) / one.count)
    return {way: statistics.median(seconds) for way, seconds in taken.items()}


def main() -> None:
    """Train, compare, count, time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("nets", nargs="*", choices=[*NETS, []])
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--iterations", type=int, default=200)
    given = parser.parse_args()
    torch.set_num_threads(1)
    for name in given.nets or NETS:
        one = NETS[name](given)
        compare(name, one)
        energies(one)
        found = times(one)
        base = found["torch module"]
        told = (f"{way} {1e3 * t:.1f} ms ({t / base:.2f})" for way, t in found.items())
        print(f"  a sample: {', '.join(told)}", flush=True)


if __name__ == "__main__":
    main()
