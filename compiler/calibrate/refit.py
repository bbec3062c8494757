"""Refits the weights of a linear map to the inputs that it really gets, in closed form.

A layer whose inputs x̂ differ from the analog ones (rounded, clipped, spread unevenly over time)
computes W x̂ + b instead of the wanted y.  The correction D of the weights, with a free bias, is

    min_D  Σ_rows |y - (W + D) x̂ - b|² + λ tr(G)/K |D|²,   G = Σ_rows (x̂ - mean)(x̂ - mean)ᵀ

over K inputs per output (ridge regression towards the given weights, not towards 0).  λ is the one
that does best on rows that were held out, and where none does better than D = 0, nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.calibrate.rows import Places
from spikec.ir import Array, ops

Numbers = NDArray[Any]
Affine = ops.Linear | ops.Conv
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)
HELD_OUT = 5
"""every fifth row"""
PER_INPUT = 32
"""rows per unknown"""
MOST_ROWS = 4096
"""where that is more than PER_INPUT asks for"""
FEWEST_ROWS = 50
"""less says nothing about weights"""


def rows_for(op: Affine) -> int:
    """Give how many rows a refit should see."""
    return max(MOST_ROWS, PER_INPUT * op.weight.size // op.weight.shape[0])


def refit(op: Affine, x: Numbers, missing: Numbers, places: Places) -> Affine:
    """Give the map with corrected weights.

    ``x`` holds its inputs [samples, ...]; ``missing`` what its results lack at ``places``
    [places, outputs].
    """
    if len(places) < FEWEST_ROWS:
        return op
    groups = op.groups if isinstance(op, ops.Conv) else 1
    rows = _by_group(_patches(op, x, places), groups)
    wanted = _by_group(missing, groups)
    change, shift = _solve(rows, wanted)
    return _corrected(op, change, shift)


def _by_group(x: Numbers, groups: int) -> Numbers:
    """View [rows, groups * n] as [groups, rows, n]."""
    return np.ascontiguousarray(x.reshape(len(x), groups, -1).transpose(1, 0, 2))


def _patches(op: Affine, x: Numbers, places: Places) -> Numbers:
    """Give what each place sees [places, inputs, *kernel], flat, in the order of the weights."""
    if isinstance(op, ops.Linear):
        return np.ascontiguousarray(x[places.index])
    rank = len(op.kernel)
    padded = np.pad(x, [(0, 0)] * (x.ndim - rank) + list(op.padding))
    lead, window = places.index[:-rank], places.index[-rank:]
    found = np.empty((len(places), x.shape[-rank - 1], *op.kernel), x.dtype)
    for offset in np.ndindex(*op.kernel):
        at = tuple(
            i * s + k * d for i, s, k, d in zip(window, op.stride, offset, op.dilation, strict=True)
        )
        found[(slice(None), slice(None), *offset)] = np.moveaxis(padded, -rank - 1, -1)[
            (*lead, *at)
        ]
    return found.reshape(len(places), -1)


@dataclass(frozen=True)
class _Rows:
    """Inputs and wanted results around their means, by group."""

    x: Numbers
    y: Numbers
    x_mean: Numbers
    y_mean: Numbers

    @staticmethod
    def of(x: Numbers, y: Numbers) -> _Rows:
        x_mean, y_mean = (a.mean(axis=1, keepdims=True, dtype=np.float64) for a in (x, y))
        return _Rows(x - x_mean.astype(x.dtype), y - y_mean.astype(y.dtype), x_mean, y_mean)


def _solve(x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
    """Give change [groups, inputs, outputs] and shift [groups, 1, outputs] of y = x change + shift.

    Each strength is tried on rows that the solution has not seen; each output keeps its best.
    """
    held = np.arange(x.shape[1]) % HELD_OUT == 0
    seen = _Rows.of(x[:, ~held], y[:, ~held])
    turned = seen.x.transpose(0, 2, 1)
    rows, inputs = seen.x.shape[1:]
    gram = (turned @ seen.x if rows >= inputs else seen.x @ turned).astype(np.float64)
    cross = (turned @ seen.y if rows >= inputs else seen.y).astype(np.float64)
    unit = np.trace(gram, axis1=1, axis2=2) / inputs
    best = np.zeros((len(x), inputs, y.shape[2]))
    error = _squares(y[:, held] - seen.y_mean)
    for strength in STRENGTHS:
        ridge = np.maximum(strength * unit, np.finfo(np.float32).tiny)
        found = np.linalg.solve(gram + ridge[:, None, None] * np.eye(gram.shape[1]), cross)
        if rows < inputs:  # (XᵀX + λ)⁻¹ Xᵀ = Xᵀ (X Xᵀ + λ)⁻¹, with the smaller matrix
            found = turned @ found
        guess = (x[:, held] - seen.x_mean).astype(x.dtype) @ found.astype(x.dtype)
        left = _squares(y[:, held] - seen.y_mean - guess)
        best, error = np.where(left < error, found, best), np.minimum(left, error)
    return best, seen.y_mean - seen.x_mean @ best


def _squares(x: Numbers) -> Numbers:
    """Sum of squares over rows [groups, 1, outputs]."""
    return np.asarray(np.square(x).sum(axis=1, keepdims=True, dtype=np.float64))


def _corrected(op: Affine, change: Numbers, shift: Numbers) -> Affine:
    outputs = op.weight.shape[0]
    by_output = change.transpose(0, 2, 1).reshape(op.weight.shape)
    bias = np.zeros(outputs) if op.bias is None else op.bias.data
    return replace(
        op,
        weight=Array(op.weight.data + by_output, "float32"),
        bias=Array(bias + shift.reshape(outputs), "float32"),
    )
