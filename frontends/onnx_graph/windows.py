"""Kernel, strides, padding and dilation of convolutions and pools, ``auto_pad`` resolved."""

from __future__ import annotations

from dataclasses import dataclass

from spikec.frontends.onnx_graph.call import Call
from spikec.ir.dims import Dims
from spikec.ir.ops.window import Ints, Pairs


@dataclass(frozen=True)
class Window:
    """One sliding window."""

    kernel: Ints
    stride: Ints
    padding: Pairs
    dilation: Ints


def window(call: Call, kernel: Ints) -> Window:
    """Read the window options of a node whose kernel is known."""
    rank = len(kernel)
    stride = call.ints("strides") or (1,) * rank
    dilation = call.ints("dilations") or (1,) * rank
    given = call.ints("pads") or (0,) * 2 * rank
    if not len(stride) == len(dilation) == rank or len(given) != 2 * rank:
        call.refuse(f"its strides, dilations or pads do not fit a kernel of rank {rank}")
    pads = _padding(call, kernel, stride, dilation, given)
    return Window(kernel, stride, pads, dilation)


def pairs(flat: Ints) -> Pairs:
    """Turn ONNX's all starts, then all ends, into one pair per axis."""
    half = len(flat) // 2
    return tuple(zip(flat[:half], flat[half:], strict=True))


def _padding(call: Call, kernel: Ints, stride: Ints, dilation: Ints, given: Ints) -> Pairs:
    match call.text("auto_pad", "NOTSET"):
        case "NOTSET" | "":
            return pairs(given)
        case "VALID":
            return ((0, 0),) * len(kernel)
        case "SAME_UPPER":
            return tuple((t // 2, t - t // 2) for t in _totals(call, kernel, stride, dilation))
        case "SAME_LOWER":
            return tuple((t - t // 2, t // 2) for t in _totals(call, kernel, stride, dilation))
        case other:
            call.refuse(f"auto_pad {other!r} is unknown")


def _totals(call: Call, kernel: Ints, stride: Ints, dilation: Ints) -> list[int]:
    """Padding that gives ceil(size / stride) windows."""
    sizes = spatial_sizes(call, call.dims(0), len(kernel))
    rows = zip(sizes, kernel, stride, dilation, strict=True)
    return [max(0, (-(-i // s) - 1) * s + d * (k - 1) + 1 - i) for i, k, s, d in rows]


def spatial_sizes(call: Call, dims: Dims, rank: int) -> Ints:
    """Give the sizes of the spatial axes, which must be numbers."""
    tail = dims[2:]
    sizes = tuple(dim for dim in tail if isinstance(dim, int))
    if len(tail) != rank or len(sizes) != rank:
        call.refuse(
            f"it needs {rank} spatial axes of known size behind batch and channels, "
            f"not [{', '.join(map(str, dims))}]",
            "fix the spatial sizes of the model's inputs",
        )
    return sizes
