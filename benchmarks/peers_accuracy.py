"""Accuracy, time and memory of spikec beside SpikingJelly 2.0 and sinabs 3.1, on a ResNet-20.

    python -m benchmarks.peers_accuracy [--only rate LTB ...] [--steps 4 8 16 32 64] [--json]
    python -m benchmarks.peers_accuracy --time [--repeats 5]

Every contender converts the same network, with the first 1,024 training images, and is tested on
the same 1,017 test images of CIFAR-10.  Peers that are not installed are left out, with a line
that says so.  They want an environment of their own, and not all of their dependencies:

    pip install torch==2.13.0 tqdm loguru scipy h5py packaging requests matplotlib pbr
    pip install --no-deps spikingjelly==2.0.0 sinabs==3.1.3 nir==1.0.4 nirtorch

beside spikec with its own (``pip install .``).  Data are looked for in the folder that SPIKEC_DATA
names, by default ``../shared``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch

import spikec
from benchmarks.conversion_accuracy import PREPROCESS
from benchmarks.peers_contenders import (
    ACCURACY,
    PEERS,
    Peer,
    Task,
    load_task,
    percent,
    plain_pass,
    tensor,
    wanted,
)
from benchmarks.peers_cost import cost_table, show_costs

STEPS = (4, 8, 16, 32, 64)
RECIPES = {
    "percentile": "binary",
    "rate": "binary",
    "signed": "signed",
    "graded": "4 bits",
}


@dataclass(frozen=True)
class Row:
    """Accuracies of one contender."""

    name: str
    events: str
    """what a neuron may send in one step"""
    accuracy: dict[int, float]
    """in per cent, by number of steps"""
    convert_seconds: float
    """of the slowest conversion"""
    evaluate_seconds: float


def peer_rows(peer: Peer, task: Task, steps: Sequence[int]) -> Iterator[Row]:
    """Convert once, simulate once: fewer steps are the beginning of more."""
    start = time.perf_counter()
    snn = peer.convert(task.network(), tensor(task.calibration))
    converted = time.perf_counter()
    logits = snn.logits(tensor(task.test), max(steps))
    seconds = (converted - start, time.perf_counter() - converted)
    found = {t: percent(logits[:t].sum(dim=0), task.labels) for t in steps}
    yield Row(peer.name, peer.events, found, *seconds)
    if snn.delayed is not None:
        starts = {t: snn.delayed(t) for t in steps}
        found = {t: percent(logits[starts[t] : t].sum(dim=0), task.labels) for t in steps}
        yield Row(f"{peer.name}, delayed read-out", peer.events, found, *seconds)


def own_row(recipe: str, task: Task, steps: Sequence[int]) -> Row:
    """Convert for each number of steps: thresholds are fitted to it."""
    example = task.calibration.example(PREPROCESS)
    graph = spikec.import_model(task.network(), example)
    found, converting, evaluating = {}, 0.0, 0.0
    for count in steps:
        start = time.perf_counter()
        program = spikec.convert(graph, task.calibration, count, recipe, preprocess=PREPROCESS)
        converted = time.perf_counter()
        found[count] = 100 * program.evaluate(task.test).accuracy
        converting = max(converting, converted - start)
        evaluating += time.perf_counter() - converted
    events = RECIPES.get(recipe.partition("{")[0], "")
    return Row(f"spikec {recipe}", events, found, converting, evaluating)


def rows(task: Task, steps: Sequence[int], only: Sequence[str]) -> Iterator[Row]:
    """Measure the contenders whose name holds one of the words; all of them, without words."""
    for recipe in RECIPES:
        if wanted(f"spikec {recipe}", only):
            yield own_row(recipe, task, steps)
    for peer in PEERS:
        if peer.present and wanted(peer.name, only):
            yield from peer_rows(peer, task, steps)


def check_network(task: Task) -> float:
    """Stop where the network is not the one whose accuracy is known."""
    everything = load_task()
    found = percent(plain_pass(everything.network(), tensor(everything.test)), everything.labels)
    if round(found, 2) != ACCURACY:
        raise SystemExit(f"the network reaches {found:.2f} %, not {ACCURACY} %: wrong weights?")
    logits = plain_pass(task.network(), tensor(task.test))
    folded = plain_pass(task.folded(), tensor(task.test))
    if not torch.allclose(logits, folded, rtol=1e-4, atol=1e-3):
        raise SystemExit("folding BatchNorm has changed the network")
    return percent(logits, task.labels)


def show_accuracies(found: Iterator[Row], steps: Sequence[int]) -> None:
    """Print each row as soon as it is there."""
    print(f"| program | events | {' | '.join(f'T={t}' for t in steps)} | convert, s | eval, s |")
    print("|---" * (4 + len(steps)) + "|")
    for row in found:
        numbers = " | ".join(f"{row.accuracy[t]:.2f}" for t in steps)
        seconds = f"{row.convert_seconds:.0f} | {row.evaluate_seconds:.0f}"
        print(f"| {row.name} | {row.events} | {numbers} | {seconds} |", flush=True)


def absent() -> list[str]:
    """Say which peers are missing."""
    packages = sorted({peer.package for peer in PEERS if not peer.present})
    how = "python -m benchmarks.peers_accuracy --help says how to get it"
    return [f"{package} is not installed: {how}" for package in packages]


def tell(found: Iterator[Any], show: Callable[[Iterator[Any]], None], as_json: bool) -> None:
    """Print rows for machines or for people."""
    if as_json:
        print(json.dumps([asdict(row) for row in found], indent=1))
    else:
        show(found)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=[], help="words of contenders' names")
    parser.add_argument("--steps", nargs="+", type=int, default=list(STEPS))
    parser.add_argument("--images", type=int, help="fewer images, for a trial")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--time", action="store_true", help="time and memory, not accuracy")
    parser.add_argument("--repeats", type=int, default=5, help="of each time; medians are shown")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    task = load_task(options.images)
    accuracy = check_network(task)
    if not options.json:
        counts = f"{len(task.calibration)} images to calibrate, {len(task.test)} to test"
        print(
            f"network in torch: {accuracy:.2f} %; {counts}; {options.threads} threads\n",
            *absent(),
            sep="\n",
        )
    if options.time:
        costs = cost_table(options.images, options.repeats, options.threads, options.only)
        tell(costs, show_costs, options.json)
    else:
        found = rows(task, options.steps, options.only)
        tell(found, partial(show_accuracies, steps=options.steps), options.json)


if __name__ == "__main__":
    main()
