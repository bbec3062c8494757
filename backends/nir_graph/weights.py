"""Affine, Conv1d and Conv2d as every reader of NIR understands them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spikec.backends.nir_graph.forms import Numbers, Refused, Shape
from spikec.backends.nir_graph.net import Field, NirNode
from spikec.ir import ops

CONVOLVE = "put a convolution by equal weights in its place"
IN_ONNX = "--to onnx_graph writes it"
SOFTWARE = "nir 1.0.8 derives the size behind a kernel from its height alone"


def affine(weight: Numbers, bias: Numbers) -> NirNode:
    """W x + b."""
    return NirNode("Affine", {"weight": _f4(weight), "bias": _f4(bias)})


def convolution(op: ops.Conv, size: Shape) -> NirNode:
    """A convolution over a map of this size: dense, with a square kernel and even padding.

    Groups become blocks of zeros: importers, and nir's own type check, read them wrongly.
    """
    kernel, padding = _square(op)
    rank = len(size)
    bias = np.zeros(len(op.weight.data)) if op.bias is None else op.bias.data
    numbers: dict[str, Field] = {
        "stride": np.array(op.stride),
        "padding": np.array(padding),
        "dilation": np.array(op.dilation),
        "input_shape": np.array(size),
    }
    if rank == 1:
        numbers = {name: int(np.asarray(value)[0]) for name, value in numbers.items()}
    arrays: dict[str, Field] = {"weight": _f4(_dense(kernel, op.groups)), "bias": _f4(bias)}
    return NirNode(f"Conv{rank}d", {**arrays, **numbers, "groups": 1})


def pointwise(weight: Numbers, bias: Numbers, size: Shape) -> NirNode:
    """Let each position of a map do the same with its channels."""
    from spikec.ir import Array

    rank = len(size)
    kernel = Array(weight.reshape(*weight.shape, *(1,) * rank))
    return convolution(
        ops.Conv(kernel, Array(bias), (1,) * rank, ((0, 0),) * rank, (1,) * rank), size
    )


def _f4(array: Numbers) -> Numbers:
    return np.asarray(array, np.float32)


def _dense(weight: Numbers, groups: int) -> Numbers:
    if groups == 1:
        return weight
    out, each = len(weight) // groups, weight.shape[1]
    wide = np.zeros((len(weight), each * groups, *weight.shape[2:]), weight.dtype)
    for group in range(groups):
        rows = slice(group * out, (group + 1) * out)
        wide[rows, group * each : (group + 1) * each] = weight[rows]
    return wide


def _square(op: ops.Conv) -> tuple[Numbers, tuple[int, ...]]:
    """Add zeros around a kernel until it is square, and padding the same on both sides."""
    rank = len(op.kernel)
    if rank > 2:
        raise Refused(
            f"a convolution of {rank} axes", "1 or 2 axes", f"NIR has no other: {IN_ONNX}"
        )
    for size in range(max(op.kernel), 2 * max(op.kernel) + 2 * _most(op) + 2):
        fits = [_grown(op, axis, size) for axis in range(rank)]
        found = [fit for fit in fits if fit is not None]
        if len(found) == rank:
            zeros = [(before, after) for before, after, _ in found]
            wide = np.pad(op.weight.data, ((0, 0), (0, 0), *zeros))
            return wide, tuple(padding for *_, padding in found)
    what = f"a kernel of {list(op.kernel)} with padding {[list(p) for p in op.padding]}"
    raise Refused(
        what,
        f"one that zeros make square and evenly padded: {SOFTWARE}",
        "odd kernels, or kernels that are as wide as high",
    )


def _most(op: ops.Conv) -> int:
    return max(abs(before - after) for before, after in op.padding)


def _grown(op: ops.Conv, axis: int, size: int) -> tuple[int, int, int] | None:
    """Give zeros before and behind an axis of a kernel, and the padding that goes with them."""
    (low, high), step = op.padding[axis], op.dilation[axis]
    extra, uneven = size - op.kernel[axis], high - low
    if uneven % step or (extra + uneven // step) % 2:
        return None
    before = (extra + uneven // step) // 2
    return (before, extra - before, low + step * before) if 0 <= before <= extra else None


def pads(padding: tuple[tuple[int, int], ...]) -> Iterator[int]:
    """Give one number per axis, where both sides have the same."""
    for before, after in padding:
        if before != after:
            raise Refused(
                f"padding of {before} before and {after} behind",
                "the same on both sides",
                CONVOLVE,
            )
        yield before
