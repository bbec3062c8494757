"""Sliding windows, shared by convolutions and pools: sizes, padding, and one view per tap."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.ir.dims import Dims
from spikec.ir.op import expect

Ints = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]
"""Padding before and after, per spatial axis."""


def spatial(dims: Dims, count: int, what: str) -> Ints:
    """Give the last ``count`` sizes as integers."""
    expect(len(dims) >= count, f"{what} needs {count} spatial axes, the operand has {len(dims)}")
    sizes = dims[len(dims) - count :]
    numbers = tuple(size for size in sizes if isinstance(size, int))
    expect(len(numbers) == count, f"{what} over an axis that holds B or T", "whole numbers")
    return numbers


def window_sizes(
    size: Ints, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints, ceil_mode: bool = False
) -> Ints:
    """Count windows per axis.

    o = floor((i + p0 + p1 - d (k - 1) - 1) / s) + 1, with ceil instead of floor in ceil mode; a
    window that would start in the padding behind the data is left out then.
    """
    result = []
    for i, k, s, (before, after), d in zip(size, kernel, stride, padding, dilation, strict=True):
        span = i + before + after - d * (k - 1) - 1
        expect(span >= 0, f"a window of {d * (k - 1) + 1} does not fit into {i} + {before}+{after}")
        count = -(-span // s) + 1 if ceil_mode else span // s + 1
        if ceil_mode and (count - 1) * s >= i + before:
            count -= 1
        result.append(count)
    return tuple(result)


def check_window(kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints) -> None:
    """Refuse options that are not of the kernel's rank, or out of range."""
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    for name, option in options.items():
        expect(
            len(option) == len(kernel),
            f"{name} {option} for a kernel of {' x '.join(map(str, kernel))}",
            "one entry per axis of the kernel",
        )
    sizes = {"kernel": kernel, "stride": stride, "dilation": dilation}
    for name, numbers in sizes.items():
        expect(min(numbers, default=0) >= 1, f"{name} {numbers}", "at least 1 per axis")
    expect(min(itertools.chain(*padding)) >= 0, f"padding {padding}", "at least 0 per side")


def padded(
    x: NDArray[Any], padding: Pairs, fill: float, *, extra: Ints | None = None
) -> NDArray[Any]:
    """Pad the trailing axes with a number; ``extra`` adds to the end (windows of ceil mode)."""
    more = extra or (0,) * len(padding)
    width = [(0, 0)] * (x.ndim - len(padding))
    width += [(lo, hi + e) for (lo, hi), e in zip(padding, more, strict=True)]
    if not any(lo or hi for lo, hi in width):
        return x
    return np.pad(x, width, constant_values=x.dtype.type(fill))


def overhang(
    size: Ints, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints, out: Ints
) -> Ints:
    """Give how far the last window reaches beyond the padded data."""
    rows = zip(size, kernel, stride, padding, dilation, out, strict=True)
    return tuple(
        max(0, (o - 1) * s + d * (k - 1) + 1 - (i + lo + hi)) for i, k, s, (lo, hi), d, o in rows
    )


def tap_counts(
    size: Ints,
    kernel: Ints,
    stride: Ints,
    padding: Pairs,
    dilation: Ints,
    out: Ints,
    *,
    count_padding: bool,
) -> tuple[NDArray[np.int64], ...]:
    """Count, per axis and window, the taps that meet data (or padding, if that counts)."""
    counts = []
    for i, k, s, (lo, hi), d, o in zip(size, kernel, stride, padding, dilation, out, strict=True):
        tap = np.arange(o) * s + np.arange(k)[:, None] * d - lo
        first, end = (-lo, i + hi) if count_padding else (0, i)
        counts.append(((tap >= first) & (tap < end)).sum(axis=0))
    return tuple(counts)


def taps(
    x: NDArray[Any], kernel: Ints, stride: Ints, dilation: Ints, out: Ints
) -> Iterator[tuple[Ints, NDArray[Any]]]:
    """Yield, per kernel position k, the view x[..., s o + d k] over all windows o."""
    for position in itertools.product(*map(range, kernel)):
        yield position, x[trailing(*tap_index(position, stride, dilation, out))]


def trailing(*index: int | slice) -> tuple[Any, ...]:
    """Index the last axes, whatever stands in front of them."""
    return (..., *index)


def tap_index(position: Ints, stride: Ints, dilation: Ints, out: Ints) -> tuple[slice, ...]:
    """Give the elements that kernel position k meets: d k, d k + s, …"""
    rows = zip(position, stride, dilation, out, strict=True)
    return tuple(slice(d * k, d * k + s * (o - 1) + 1, s) for k, s, d, o in rows)
