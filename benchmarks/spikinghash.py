"""Spikinghash on synthetic recordings: what wavelets over time give, and soft similarities.

    python -m benchmarks.spikinghash order       # 3-D and 2-D wavelets, attention: motions in order
    python -m benchmarks.spikinghash longer      # more updates: a hard control, a long pause
    python -m benchmarks.spikinghash similarity  # codes of 16 and 32 bits, hard and soft

Clips of 16 x 16 pixels and 8 steps (12 for the longest pause); one network of channels (8, 16, 16,
16), whose stages are all halved, three seeds of data and weights.  Which epoch is kept is chosen by
held-out clips; test clips are looked at once per network.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from torch import Tensor

from examples.spikinghash.clips import Scene
from examples.spikinghash.making import Settings, accuracy, codes_of, found_by_codes, trained
from examples.spikinghash.samples import Samples, filmed
from spikec.zoo.spikinghash import MIXERS

SEEDS = (0, 1, 2)
PLAIN = Settings(epochs=14)
COUNTS = (768, 192, 1024)
"""clips to learn from, to choose by, to test on"""
LONGER = (2048, 192, 1024)
LONG = Settings(epochs=20)
"""3.8 times the updates: at pause 4, two-dimensional wavelets still learn where PLAIN ends"""
K = 100
"""of mAP@k, ACG@k, NDCG@k"""
WARM = Settings(epochs=20)
"""class scores alone, from which all codes of a seed are learned"""
CODED = Settings(epochs=10)
"""similarities as the example has them, chosen by held-out clips of a seed that is not used here"""
Counts = tuple[int, int, int]
Row = tuple[Any, ...]


def order() -> Iterator[Row]:
    """Two classes: one motion, a pause, another, against the reverse; control: other motions."""
    cases = [*(("order", Scene(pause=n)) for n in (4, 2, 0)), ("motion", Scene(pause=4))]
    yield from _mixers(cases, PLAIN, COUNTS)


def longer() -> Iterator[Row]:
    """The same for longer; control: only the second motion differs.  And a longer pause."""
    cases = [(kind, Scene(pause=4)) for kind in ("order", "space")]
    yield from _mixers([*cases, ("order", Scene(steps=12, pause=8))], LONG, LONGER)


def _mixers(cases: list[tuple[str, Scene]], settings: Settings, counts: Counts) -> Iterator[Row]:
    """Train every mixer on classes of these kinds and pauses, all seeds."""
    yield "classes differ by", "pause", *(f"{name} %" for name in MIXERS)
    for kind, scene in cases:
        cells = []
        for mixer in MIXERS:
            one = replace(settings, mixer=mixer)
            found = [_accuracy(kind, scene, replace(one, seed=seed), counts) for seed in SEEDS]
            cells.append(_range(found))
        yield kind, f"{scene.pause} of {scene.steps}", *cells


def _accuracy(kind: str, scene: Scene, settings: Settings, counts: Counts) -> float:
    """Train one network; give its accuracy on test clips in per cent."""
    samples = filmed(kind, scene, settings.seed, counts)
    begun = time.perf_counter()
    model, history = trained(settings, samples)
    found = 100 * accuracy(model, samples.test)
    _note(kind, scene.pause, settings.mixer, settings.seed, found, _course(history), begun)
    return found


def similarity() -> Iterator[Row]:
    """Eight classes, each a pair of motions; those with a motion in common are half relevant."""
    yield "bits", "similarity", "accuracy %", f"mAP@{K}", f"ACG@{K}", f"NDCG@{K}", "ones %"
    for bits in (16, 32):
        for mode in ("hard", "soft"):
            hashing = replace(CODED.hashing, mode=mode)
            settings = replace(CODED, bits=bits, hashing=hashing)
            found = np.array([_retrieved(settings, seed) for seed in SEEDS])
            yield bits, mode, *(_range(column) for column in found.T)


def _retrieved(settings: Settings, seed: int) -> list[float]:
    """Train one network; give its accuracy, its scores and the share of ones, in per cent."""
    samples, start = _warm(seed)
    begun = time.perf_counter()
    model, history = trained(replace(settings, seed=seed), samples, start=start)
    scores = found_by_codes(model, samples, K)
    ones = float(codes_of(model, samples.test[0]).unpack().mean())
    found = [accuracy(model, samples.test), scores.mean_average_precision]
    found += [scores.cumulative_gain, scores.discounted_gain, ones]
    found = [100 * one for one in found]
    told = " ".join(f"{one:.1f}" for one in found)
    _note(settings.bits, settings.hashing.mode, seed, told, _course(history), begun)
    return found


@cache
def _warm(seed: int) -> tuple[Samples, Mapping[str, Tensor]]:
    """Film clips and learn their classes; give them and the weights."""
    samples = filmed("pairs", Scene(pause=2), seed, COUNTS)
    begun = time.perf_counter()
    model, history = trained(replace(WARM, seed=seed), samples)
    found = 100 * accuracy(model, samples.test)
    _note("classes alone", seed, f"{found:.1f}", _course(history), begun)
    return samples, model.state_dict()


def _range(values: Any) -> str:
    """Mean and range over the seeds."""
    return f"{np.mean(values):.1f} [{min(values):.1f}–{max(values):.1f}]"


def _course(history: list[dict[str, float]]) -> str:
    """Say how accuracy on what was learned from, and on held-out clips, went."""
    learned = " ".join(f"{100 * r['accuracy']:.0f}" for r in history[1:])
    held = " ".join(f"{100 * r['validation']:.0f}" for r in history[1:])
    return f"learned {learned} | held {held}"


def _note(*told: Any) -> None:
    """Tell of one training, on standard error; the last one told is when it began."""
    *rest, begun = told
    print(*rest, f"{time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)


TABLES: dict[str, Callable[[], Iterator[Row]]] = {
    one.__name__: one for one in (order, longer, similarity)
}


def main() -> None:
    """Print tables, row by row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []])
    for name in parser.parse_args().tables or TABLES:
        for index, row in enumerate(TABLES[name]()):
            print(f"| {' | '.join(str(cell) for cell in row)} |", flush=True)
            if index == 0:
                print("|" + "---|" * len(row), flush=True)


if __name__ == "__main__":
    main()
