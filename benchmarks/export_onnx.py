"""Compares ONNX exports of programs with the runtime: predictions, outputs, time per image.

    python -m benchmarks.export_onnx [--images 128] [--programs graded:4 graded:4:8] [--verify 8]
    python -m benchmarks.export_onnx --images 128 --only-steps

A program is RECIPE:STEPS, RECIPE:STEPS:WEIGHT_BITS or RECIPE:STEPS:WEIGHT_BITS:INPUT_BITS.
The data are looked for in the folder that SPIKEC_DATA names, by default ``../shared``:
``data/cifar10_exact.npz`` and ``models/resnet20_cifar10.onnx``.  Both sides use one thread; each
time is the shortest of several, the two by turns.  Events are compared on the first images.
The model of one step, stepped T times, is compared with that of all steps, bit for bit: estimates
of each step, and every event.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

import spikec
from benchmarks.conversion_accuracy import PREPROCESS
from spikec.backends.onnx_graph.running import session
from spikec.data import read_data
from spikec.registry import exporter_by_name
from spikec.runtime import run

Numbers = NDArray[Any]
BATCH = 32
ROUNDS = 3
CLOSE = 1e-3
PROGRAMS = ["graded:4", "graded:4:8", "graded:4:8:8", "rate:16", "rate:16:8", "rate:16:8:8"]


def main() -> None:
    """Convert, export, compare, time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--verify", type=int, default=8, help="images whose events are compared")
    parser.add_argument("--only-steps", action="store_true", help="leave out engine and times")
    parser.add_argument("--programs", nargs="*", default=PROGRAMS)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    root = Path(os.environ.get("SPIKEC_DATA", Path(__file__).parents[2] / "shared"))
    source = str(root / "data" / "cifar10_exact.npz")
    calibration = read_data(f"{source}:train").first(128)
    test = read_data(f"{source}:test").first(chosen.images)
    model = root / "models" / "resnet20_cifar10.onnx"
    for text in chosen.programs:
        recipe, steps, *bits = text.split(":")
        weight_bits, input_bits = (*map(int, bits), None, None)[:2]
        program = spikec.convert(
            str(model),
            calibration,
            int(steps),
            recipe,
            preprocess=PREPROCESS,
            weight_bits=weight_bits,
            input_bits=input_bits,
        )
        if not chosen.only_steps:
            report(program, text, test, chosen.verify)
        compare_steps(program, text, test)


def report(program: spikec.Program, text: str, test: Any, verified: int) -> None:
    """Print what one program does in both."""
    (x,) = program.inputs(test).values()
    with tempfile.TemporaryDirectory() as folder:
        program.export("onnx_graph", Path(folder) / "net", step=False)
        model = session(Path(folder) / "net" / "sequence.onnx", threads=1)
    (name,) = (value.name for value in model.get_inputs())

    def exported(batch: Numbers) -> Numbers:
        return np.asarray(model.run(None, {name: batch})[0])

    def layerwise(batch: Numbers) -> Numbers:
        by_step = run(program.graph, batch, "layerwise", steps=program.steps)
        return np.asarray(by_step[-1])

    found, wanted = batched(exported, x), batched(layerwise, x)
    agree = int((found.argmax(1) == wanted.argmax(1)).sum())
    here, there = shortest((exported, layerwise), x[:BATCH])
    accuracy = float((found.argmax(1) == test.labels).mean())
    apart = np.abs(found - wanted).max(axis=1)
    network = batched(lambda batch: np.asarray(run(program.reference, batch, "layerwise")), x)
    as_network = float((network.argmax(1) == test.labels).mean())
    print(
        f"{text}: {agree} of {len(x)} predictions equal (accuracy {accuracy:.2%}, network "
        f"{as_network:.2%}); logits within {CLOSE:g} for {int((apart <= CLOSE).sum())} images, "
        f"equal for {int((apart == 0).sum())}, by at most {apart.max():.3g} for all"
    )
    print(
        f"  {1e3 * here:.1f} ms per image in onnxruntime, {1e3 * there:.1f} ms in the layerwise "
        f"engine: a ratio of {here / there:.2f}"
    )
    for check in program.verify("onnx_graph", test.first(verified), step=False).checks:
        print(f"  {check}")


def compare_steps(program: spikec.Program, text: str, test: Any) -> None:
    """Print whether one step, T times, does what all steps at once do; and what the files hold."""
    ((name, x),) = program.inputs(test).items()
    exporter, same, events, differ = exporter_by_name("onnx_graph"), 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        artifact = program.export("onnx_graph", Path(folder) / "net")
        for i in range(0, len(x), BATCH):
            batch = {name: x[i : i + BATCH]}
            whole, stepped = (exporter.run(artifact, batch, way) for way in artifact.ways)
            (a,), (b,) = whole.outputs.values(), stepped.outputs.values()
            same += int((a == b).all(axis=(0, 2)).sum())
            for layer, train in whole.spikes.items():
                events += train.size
                differ += int((train != stepped.spikes[layer]).sum())
        size = (artifact.folder / "sequence.onnx").stat().st_size
        stored = weights_by_type(artifact.folder / "sequence.onnx")
    print(
        f"{text}: one step, {program.steps} times: estimates of all steps equal bit for bit for "
        f"{same} of {len(x)} images; {differ:,} of {events:,} entries differ"
    )
    kinds = ", ".join(f"{count:,} of {kind}" for kind, count in stored.items())
    print(f"  sequence.onnx: {size:,} bytes; constants: {kinds}")


def weights_by_type(path: Path) -> dict[str, int]:
    """Count the numbers that a model holds, by element type."""
    found: dict[str, int] = {}
    for array in onnx.load_model(str(path)).graph.initializer:
        kind = onnx.TensorProto.DataType.Name(array.data_type).lower()
        found[kind] = found.get(kind, 0) + int(np.prod(array.dims, dtype=np.int64))
    return found


def batched(compute: Callable[[Numbers], Numbers], x: Numbers) -> Numbers:
    """Compute in batches."""
    return np.concatenate([compute(x[i : i + BATCH]) for i in range(0, len(x), BATCH)])


def shortest(sides: tuple[Callable[[Numbers], Numbers], ...], x: Numbers) -> list[float]:
    """Give the least seconds per image of each side, measured by turns."""
    times: list[list[float]] = [[] for _ in sides]
    for _ in range(ROUNDS):
        for row, compute in zip(times, sides, strict=True):
            start = time.perf_counter()
            compute(x)
            row.append((time.perf_counter() - start) / len(x))
    return [min(row) for row in times]


if __name__ == "__main__":
    main()
