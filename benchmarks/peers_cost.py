"""Time and memory of spikec and its peers, each in a process of its own; see `peers_accuracy`.

Run as ``python -m benchmarks.peers_cost NAME``, it measures one contender and prints JSON.  Each
time is divided by that of a plain pass (BatchNorm folded, batches of 128) over as many images, run
right before it; medians of these ratios are shown.  Memory is the greatest resident set during the
work; that of the plain pass, in the same process, stands beside it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

import spikec
from benchmarks.conversion_accuracy import PREPROCESS
from benchmarks.peers_contenders import (
    PER_CHANNEL,
    Task,
    data_folder,
    load_task,
    percent,
    plain_pass,
    sinabs,
    spikingjelly,
    tensor,
    wanted,
)


@dataclass(frozen=True)
class Stages:
    """What is timed: reading the network, converting it, and testing the result."""

    read: Callable[[], Any]
    convert: Callable[[Any], Any]
    evaluate: Callable[[Any], float]
    """gives the accuracy, in per cent"""


@dataclass(frozen=True)
class Contender:
    """Whose package, how many steps, and how to set it up."""

    package: str
    steps: int
    stages: Callable[[Task, int], Stages]


@dataclass(frozen=True)
class Cost:
    """What one contender needs; ratios are plain passes over as many images."""

    name: str
    steps: int
    accuracy: float
    plain_seconds: float
    """of a plain pass over the test images"""
    read_seconds: float
    convert_seconds: float
    convert_passes: float
    """without reading"""
    evaluate_seconds: float
    evaluate_passes: float
    plain_mb: float
    convert_mb: float
    """with reading"""
    evaluate_mb: float


def own(task: Task, steps: int, recipe: str, onnx: bool = False, bits: int | None = None) -> Stages:
    """Set up spikec; it reads the module, as the peers do, or the network's ONNX file."""
    example = task.calibration.example(PREPROCESS)
    file = data_folder() / "models" / "resnet20_cifar10.onnx"
    options: dict[str, Any] = {"preprocess": PREPROCESS, "weight_bits": bits}
    return Stages(
        lambda: spikec.import_model(file) if onnx else spikec.import_model(task.network(), example),
        lambda graph: spikec.convert(graph, task.calibration, steps, recipe, **options),
        lambda program: 100 * program.evaluate(task.test).accuracy,
    )


def peer(task: Task, steps: int, convert: Callable[..., Any]) -> Stages:
    """Set up somebody else's."""
    calibration, test = tensor(task.calibration), tensor(task.test)
    return Stages(
        task.network,
        lambda network: convert(network, calibration),
        lambda snn: percent(snn.logits(test, steps).sum(dim=0), task.labels),
    )


def plain(task: Task, steps: int) -> Stages:
    """Set up the plain pass itself, which converts nothing."""
    test = tensor(task.test)
    return Stages(
        task.folded,
        lambda network: network,
        lambda network: percent(plain_pass(network, test), task.labels),
    )


JELLY = "spikingjelly"
CONTENDERS = {
    "plain pass": Contender("torch", 1, plain),
    "spikec rate": Contender("spikec", 8, partial(own, recipe="rate")),
    "spikec rate, ONNX": Contender("spikec", 8, partial(own, recipe="rate", onnx=True)),
    "spikec rate, ONNX, 8-bit weights": Contender(
        "spikec", 8, partial(own, recipe="rate", onnx=True, bits=8)
    ),
    "spikec lossless, ONNX": Contender(
        "spikec", 5, partial(own, recipe="lossless{burst=7}", onnx=True)
    ),
    "SpikingJelly, single-step": Contender(
        JELLY, 8, partial(peer, convert=partial(spikingjelly, **PER_CHANNEL))
    ),
    "SpikingJelly, multi-step": Contender(
        JELLY, 8, partial(peer, convert=partial(spikingjelly, multi_step=True, **PER_CHANNEL))
    ),
    "sinabs": Contender("sinabs", 8, partial(peer, convert=sinabs)),
}


def forget_peak() -> None:
    """Let the greatest resident set of this process start anew."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError as error:
        raise SystemExit(f"memory is measured on Linux only ({error})") from error


def peak_mb() -> float:
    """Greatest resident set since ``forget_peak``."""
    for text in Path("/proc/self/status").read_text().splitlines():
        if text.startswith("VmHWM:"):
            return int(text.split()[1]) / 1024
    raise SystemExit("/proc/self/status has no VmHWM")


def timed(work: Callable[[], Any]) -> tuple[float, Any, float]:
    """Give the seconds, the result, and the greatest resident set meanwhile."""
    forget_peak()
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result, peak_mb()


def measure(name: str, images: int | None, repeats: int) -> Cost:
    """Measure one contender in this process, plain passes in between."""
    contender = CONTENDERS[name]
    task = load_task(images)
    network = task.folded()
    many, test = tensor(task.calibration), tensor(task.test)
    plain_pass(network, test)
    memory = timed(lambda: plain_pass(network, test))[2]
    stages = contender.stages(task, contender.steps)
    found: list[dict[str, float]] = []
    for _ in range(repeats):
        before = timed(lambda: plain_pass(network, many))[0]
        reading, read, read_mb = timed(stages.read)
        converting, made, made_mb = timed(partial(stages.convert, read))
        between = timed(lambda: plain_pass(network, test))[0]
        testing, accuracy, test_mb = timed(partial(stages.evaluate, made))
        row = {"plain_seconds": between, "read_seconds": reading, "convert_seconds": converting}
        row |= {"convert_passes": converting / before, "evaluate_passes": testing / between}
        row |= {"evaluate_seconds": testing, "accuracy": accuracy, "evaluate_mb": test_mb}
        found.append({**row, "convert_mb": max(read_mb, made_mb)})
        del read, made
    summary = {
        key: (max if key.endswith("_mb") else statistics.median)(row[key] for row in found)
        for key in found[0]
    }
    return Cost(name, contender.steps, plain_mb=memory, **summary)


def cost_table(
    images: int | None, repeats: int, threads: int, only: Sequence[str] = ()
) -> Iterator[Cost]:
    """Measure all contenders that are installed, each in a process of its own."""
    for name, contender in CONTENDERS.items():
        if not wanted(name, only) or importlib.util.find_spec(contender.package) is None:
            continue
        command = [sys.executable, "-m", "benchmarks.peers_cost", name, "--repeats", str(repeats)]
        command += ["--threads", str(threads)]
        command += [] if images is None else ["--images", str(images)]
        done = subprocess.run(
            command,
            check=True,
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        )
        yield Cost(**json.loads(done.stdout))


HEADS = (
    *("program", "T", "accuracy, %", "plain pass, s", "read, s", "convert, s", "in passes"),
    *("eval, s", "in passes", "in T passes", "plain, MB", "convert, MB", "eval, MB"),
)


def show_costs(costs: Iterable[Cost]) -> None:
    """Print each row as soon as it is there."""
    print(f"| {' | '.join(HEADS)} |")
    print("|---" * len(HEADS) + "|")
    for c in costs:
        cells = [
            *(c.name, str(c.steps), f"{c.accuracy:.2f}", f"{c.plain_seconds:.2f}"),
            *(f"{c.read_seconds:.2f}", f"{c.convert_seconds:.2f}", f"{c.convert_passes:.2f}"),
            *(f"{c.evaluate_seconds:.2f}", f"{c.evaluate_passes:.2f}"),
            f"{c.evaluate_passes / c.steps:.2f}",
            *(f"{c.plain_mb:.0f}", f"{c.convert_mb:.0f}", f"{c.evaluate_mb:.0f}"),
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Measure one contender; print JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", choices=CONTENDERS)
    parser.add_argument("--images", type=int)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(json.dumps(asdict(measure(options.name, options.images, options.repeats))))


if __name__ == "__main__":
    main()
