"""What ResNet-20 takes of chips: cores, their use, what is split, and what does not fit.

    python -m benchmarks.resources [--targets loihi1 loihi2] [--steps 16] [--pictures FOLDER]

The network for CIFAR-10 is converted by recipe `rate` into whole numbers: inputs of 6 bits, weights
of 7, sums and thresholds as Loihi stores them.  For each target: the resources of the program as
the target's neurons take them; then it is lowered, or all that keeps it from the target is listed.
With a folder, the mesh of cores is drawn into it.  Data are found as in `conversion_accuracy`.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import spikec
from benchmarks.conversion_accuracy import PREPROCESS
from spikec.data import Data, read_data
from spikec.errors import UnsupportedModel
from spikec.report.mesh_svg import picture
from spikec.target import Resources, examine, layers_of, load_target, place, placement_of

WEIGHT_BITS, INPUT_BITS = 7, 6
OPTIONS = "shortcuts=true,accumulator=18,threshold=17"
CALIBRATION, TEST = 256, 1017


def main() -> None:
    """Print a table per target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", nargs="+", default=["loihi1", "loihi2"])
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--test", type=int, default=TEST, help="images for the accuracy")
    parser.add_argument("--pictures", type=Path, help="a folder for one SVG per target")
    chosen = parser.parse_args()
    root = Path(os.environ.get("SPIKEC_DATA", Path(__file__).parents[2] / "shared"))
    source = str(root / "data" / "cifar10_exact.npz")
    calibration = read_data(f"{source}:train").first(CALIBRATION)
    program = converted(root / "models" / "resnet20_cifar10.onnx", calibration, chosen.steps)
    found = program.evaluate(read_data(f"{source}:test").first(chosen.test))
    print(
        f"ResNet-20, {chosen.steps} steps, weights of {WEIGHT_BITS} and inputs of {INPUT_BITS} "
        f"bits: {found.accuracy:.2%} of {found.samples:,} images (network: "
        f"{found.reference_accuracy:.2%})"
    )
    for target in chosen.targets:
        report(program, target, chosen.pictures)
        lowered(program, target, calibration.first(16))


def converted(path: Path, calibration: Data, steps: int) -> spikec.Program:
    """Convert into whole numbers."""
    return spikec.convert(
        path,
        calibration,
        steps,
        "rate",
        preprocess=PREPROCESS,
        weight_bits=WEIGHT_BITS,
        weight_options=OPTIONS,
        input_bits=INPUT_BITS,
    )


def report(program: spikec.Program, target: str, pictures: Path | None) -> None:
    """Print what every layer takes, and in all."""
    start = time.perf_counter()
    found = examine(program.graph, load_target(target))
    seconds = time.perf_counter() - start
    taken, cut = found.resources, found.partition
    print(f"\n== {target} ==")
    print(f"host, before: {', '.join(node.name for node in cut.prefix)}")
    print(f"host, behind: {', '.join(node.name for node in cut.suffix)}")
    table(taken)
    print(
        f"{taken.neurons:,} neurons, {taken.synapses:,} synapses; {taken.cores} cores of "
        f"{taken.available} (chips: {taken.chips}); {len(taken.split)} of {len(taken.layers)} "
        f"layers on several cores; counted in {seconds:.2f} s"
    )
    for name in taken.limits:
        print(f"  {name} per core: {taken.mean(name):.0%} mean, {taken.peak(name):.0%} most")
    if pictures is not None:
        placed = place(layers_of(program.graph, set(cut.chip)), found.target)
        pictures.mkdir(parents=True, exist_ok=True)
        (pictures / f"resnet20-{target}.svg").write_text(picture(placed), "utf-8")


def table(taken: Resources) -> None:
    """Print one line per layer."""
    names = list(taken.limits)
    print(
        f"{'layer':<14}{'neurons':>9}{'synapses':>12}{'fan-in':>8}{'cores':>7}  {'block':<12}"
        + "".join(f"{name:>14}" for name in names)
    )
    for layer in taken.layers:
        block = "x".join(str(size) for size in layer.block if size > 1) or "1"
        print(
            f"{layer.name:<14}{layer.neurons:>9,}{layer.synapses:>12,}{layer.fan_in:>8,}"
            f"{len(layer.cores):>7}  {block:<12}"
            + "".join(f"{layer.use[name]:>14.0%}" for name in names)
        )


def lowered(program: spikec.Program, target: str, calibration: Data) -> None:
    """Fit the program to the target; or print why not."""
    start = time.perf_counter()
    try:
        fitted = spikec.lower(program, target, calibration)
    except UnsupportedModel as error:
        print(f"not lowered, for {len(error.problems)} reason(s):")
        for problem in error.problems:
            print(f"  {problem.where}: {problem.what}; expected {problem.expected}")
        return
    placed = placement_of(fitted.graph)
    assert placed is not None
    messages = sum(count for _, _, count in placed.traffic)
    print(
        f"lowered in {time.perf_counter() - start:.1f} s: {placed.cores} cores, {messages:,.0f} "
        f"messages between cores per step, {placed.hops:,.0f} routers passed "
        f"({placed.unplaced_hops:,.0f} in the order of the layers)"
    )


if __name__ == "__main__":
    main()
