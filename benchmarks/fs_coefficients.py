"""Coefficients of few-spikes neurons for SiLU, GELU and sigmoid: errors, a picture, a search.

    python -m benchmarks.fs_coefficients    # the table of what spikec holds
    python -m benchmarks.fs_coefficients --picture errors.svg
    python -m benchmarks.fs_coefficients --fit silu 16 --seconds 200 --seed 0

The search anneals thresholds T and decrements h of many candidates at once; for each, the weights d
are the minimax fit, by least squares whose weights grow where the error is large (Lawson).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.ir.ops.few_spikes import FITTED, FUNCTIONS, RANGE, error_of

Numbers = NDArray[np.float64]
CANDIDATES = 48
GRID = np.linspace(-RANGE, RANGE, 961)
FINE = np.linspace(-RANGE, RANGE, 6401)


def patterns(t: Numbers, h: Numbers, x: Numbers) -> Numbers:
    """Give z [candidates, K, x]: v = x; z_k = [v >= T_k]; v -= h_k z_k."""
    v = np.broadcast_to(x, (len(t), len(x))).copy()
    z = np.empty((t.shape[1], *v.shape))
    for k in range(t.shape[1]):
        z[k] = v >= t[:, k, None]
        v -= h[:, k, None] * z[k]
    return z.transpose(1, 0, 2)


def minimax(z: Numbers, y: Numbers, rounds: int) -> tuple[Numbers, Numbers]:
    """Give the least of the largest errors, and the weights that reach it, per candidate."""
    count, bits, _ = z.shape
    weights, best = np.ones((count, len(y))), np.full(count, np.inf)
    kept = np.zeros((count, bits))
    for _ in range(rounds):
        weighted = z * weights[:, None]
        gram = weighted @ z.transpose(0, 2, 1)
        ridge = 1e-7 * np.trace(gram, axis1=1, axis2=2)[:, None, None] / bits + 1e-12
        d = np.linalg.solve(gram + np.eye(bits) * ridge, (weighted @ y)[..., None])[..., 0]
        apart = np.abs(np.einsum("ck,ckn->cn", d, z) - y)
        largest = apart.max(1)
        better = largest < best
        best[better], kept[better] = largest[better], d[better]
        weights *= apart / apart.max(1, keepdims=True) + 0.03
        weights /= weights.mean(1, keepdims=True)
    return best, kept


def start(bits: int, rng: np.random.Generator) -> tuple[Numbers, Numbers]:
    """Draw candidates: some thresholds that take nothing away, then a binary code."""
    t, h = np.empty((CANDIDATES, bits)), np.zeros((CANDIDATES, bits))
    for row in range(CANDIDATES):
        stairs = int(rng.integers(0, bits // 2 + 2))
        code = RANGE * rng.uniform(0.45, 0.75) ** np.arange(1, bits - stairs + 1)
        t[row] = np.concatenate([np.sort(rng.uniform(-RANGE / 2, 0, stairs)), code])
        h[row, stairs:] = code
    return t, h


def moved(t: Numbers, h: Numbers, rng: np.random.Generator) -> tuple[Numbers, Numbers]:
    """Change some coefficients of each candidate."""
    shape, bits = t.shape, t.shape[1]
    size = np.exp(rng.uniform(np.log(0.002), 0, (shape[0], 1)))
    some = rng.random(shape) < rng.choice([1 / bits, 2 / bits, 0.5], (shape[0], 1))
    some[np.arange(shape[0]), rng.integers(0, bits, shape[0])] = True
    t = t + some * size * rng.normal(size=shape)
    h = h + some * size * rng.normal(size=shape) * (rng.random((shape[0], 1)) < 0.7)
    h = np.where((rng.random(shape) < 0.05) & some, t, h)
    h = np.where((rng.random(shape) < 0.03) & some, 0, h)
    for row in np.flatnonzero(rng.random(shape[0]) < 0.1):
        i, j = rng.integers(0, bits, 2)
        t[row, [i, j]], h[row, [i, j]] = t[row, [j, i]], h[row, [j, i]]
    return t, h


def fit(name: str, bits: int, seconds: float, seed: int) -> tuple[Numbers, Numbers, Numbers]:
    """Search thresholds, decrements and weights."""
    rng = np.random.default_rng(seed)
    y = FUNCTIONS[name](GRID)
    t, h = start(bits, rng)
    error, _ = minimax(patterns(t, h, GRID), y, 6)
    best: tuple[float, Any, Any] = (np.inf, None, None)
    begin, rounds = time.monotonic(), 0
    while (share := (time.monotonic() - begin) / seconds) < 1:
        other = moved(t, h, rng)
        new, _ = minimax(patterns(*other, GRID), y, 6)
        heat = max(0.1 * (1 - share) ** 2 * error.min(), 1e-12)
        chance = np.exp(np.minimum(0, (error - new) / heat))
        taken = rng.random(CANDIDATES) < chance
        t[taken], h[taken], error[taken] = other[0][taken], other[1][taken], new[taken]
        if error.min() < best[0]:
            row = int(error.argmin())
            best = (float(error[row]), t[row].copy(), h[row].copy())
        rounds += 1
        if rounds % 200 == 0:  # the worst begin anew from the best
            order = np.argsort(error)
            worst, first = order[-CANDIDATES // 6 :], order[: CANDIDATES // 6]
            t[worst], h[worst], error[worst] = t[first], h[first], error[first]
            t[worst[-1]], h[worst[-1]], error[worst[-1]] = best[1], best[2], best[0]
    _, d = minimax(patterns(best[1][None], best[2][None], FINE), FUNCTIONS[name](FINE), 60)
    return best[1], best[2], d[0]


def draw(path: Path) -> None:
    """Draw functions and what the neurons make of them."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "spikec"}
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(len(FUNCTIONS), 2, figsize=(9, 8), sharex=True)
    for row, name in zip(axes, FUNCTIONS, strict=True):
        for place, bits in zip(row, (8, 16), strict=True):
            one = FITTED[name, bits]
            place.plot(GRID[::3], FUNCTIONS[name](GRID[::3]), color="0.7", linewidth=3)
            place.plot(GRID, one(GRID), linewidth=1)
            place.set_title(f"{name}, K = {bits}: error {error_of(name, bits):.4f}")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Print the table, draw, or search."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--fit", nargs=2, metavar=("FUNCTION", "K"))
    parser.add_argument("--seconds", type=float, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.fit:
        name, bits = given.fit[0], int(given.fit[1])
        for label, values in zip("Thd", fit(name, bits, given.seconds, given.seed), strict=True):
            print(label, ", ".join(f"{value:.6g}" for value in values))
        return
    if given.picture:
        draw(given.picture)
    print("| function | K | largest error on [-8, 8] |\n|---|---|---|")
    for name, bits in FITTED:
        print(f"| {name} | {bits} | {error_of(name, bits):.4f} |")


if __name__ == "__main__":
    main()
