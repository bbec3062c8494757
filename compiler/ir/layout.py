"""Lays values out as chips see them: samples first, then steps, then elements on one axis."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.ir.dims import Dim, Sizes, SymbolicDim, has_batch, has_time, per_step
from spikec.ir.types import TensorType

Numbers = NDArray[Any]
ONE = Sizes(1, 1)


def unit_shape(x: TensorType) -> tuple[int, ...]:
    """Give the sizes of one sample in one step; axes of B and T keep their place."""
    return x.step().shape(ONE)


def elements(x: TensorType) -> int:
    """Number of elements of one sample in one step."""
    return int(np.prod(unit_shape(x), dtype=np.int64))


def folded(array: Numbers, x: TensorType, sizes: Sizes) -> Numbers:
    """Give a value as [samples, steps, elements]; without time as [samples, elements]."""
    parts, leading = _parts(x, sizes)
    moved = np.moveaxis(array.reshape(parts), leading, range(len(leading)))
    flat = moved.reshape(*moved.shape[: len(leading)], -1)
    return flat if x.batch_axis is not None else flat[np.newaxis]


def unfolded(array: Numbers, x: TensorType, sizes: Sizes) -> Numbers:
    """Give a value of the type from [samples, steps, elements], or [samples, elements]."""
    parts, leading = _parts(x, sizes)
    rest = [size for axis, size in enumerate(parts) if axis not in leading]
    lead = [parts[axis] for axis in leading]
    moved = array.reshape(*lead, *rest)
    return np.moveaxis(moved, range(len(leading)), leading).reshape(x.shape(sizes))


def _parts(x: TensorType, sizes: Sizes) -> tuple[list[int], list[int]]:
    """Split axes into time, batch and the rest; also say where the batch and time are."""
    parts: list[int] = []
    time = batch = None
    for dim in x.dims:
        rest = dim
        if has_time(dim):
            time, rest = len(parts), per_step(dim)
            parts.append(sizes.of(dim) // sizes.of(rest))
        if has_batch(rest):
            batch = len(parts)
            parts.append(sizes.batch)
            rest = _factor(rest)
        if rest != 1 or not (has_time(dim) or has_batch(dim)):
            parts.append(sizes.of(rest))
    return parts, [axis for axis in (batch, time) if axis is not None]


def _factor(dim: Dim) -> Dim:
    assert isinstance(dim, SymbolicDim)
    return int(dim.coefficient)
