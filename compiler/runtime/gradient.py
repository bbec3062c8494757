"""Runs a static graph under torch's autograd: the arrays of some ops are parameters.

The quantiser's derivative is that of its clipped line (straight-through):

    y = s clip(floor(x/s + 1/2), low, N),   dy/dx := 1 where low <= x/s <= N, else 0,
    dy/ds := y/s - x/s where it is not clipped, else low or N.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor

from spikec.errors import Problem, UnsupportedModel
from spikec.ir import Array, Graph, Node, Op, Sizes, Value, ops
from spikec.ir.ops.pool import WindowPool
from spikec.runtime.layerwise.kernels import KERNELS, MOVES, Constants, Kernel


def quantised(op: ops.QuantReLU, inputs: tuple[Tensor, ...], _: Sizes, known: Constants) -> Tensor:
    """The quantiser with the derivative of a clipped line."""
    step = known(op.step)
    units = inputs[0] / step
    line = units.clamp(op.low, op.levels)
    whole = torch.floor(units.detach() + 0.5).clamp(op.low, op.levels)
    counts = line + (whole - line).detach()
    return counts * (step if op.amplitude is None else known(op.amplitude))


def moved(op: Op, inputs: tuple[Tensor, ...], sizes: Sizes, _: Constants) -> Tensor:
    """Follow each element: the op moves their numbers as it would move them."""
    (x,) = inputs
    (places,) = op.run((np.arange(x.numel()).reshape(x.shape),), sizes)
    return x.reshape(-1)[torch.tensor(places, device=x.device)]


def mean(op: ops.ReduceMean, inputs: tuple[Tensor, ...], _: Sizes, known: Constants) -> Tensor:
    return inputs[0].mean(dim=op.axes, keepdim=op.keepdims)


def total(op: ops.ReduceSum, inputs: tuple[Tensor, ...], _: Sizes, known: Constants) -> Tensor:
    return inputs[0].sum(dim=op.axes, keepdim=op.keepdims)


def largest(op: ops.ReduceMax, inputs: tuple[Tensor, ...], _: Sizes, known: Constants) -> Tensor:
    return inputs[0].amax(dim=op.axes, keepdim=op.keepdims)


def sigmoid(op: ops.Sigmoid, inputs: tuple[Tensor, ...], _: Sizes, known: Constants) -> Tensor:
    return torch.sigmoid(inputs[0])


def gelu(op: ops.GELU, inputs: tuple[Tensor, ...], _: Sizes, known: Constants) -> Tensor:
    return F.gelu(inputs[0], approximate="tanh" if op.tanh else "none")


def erf(op: ops.Erf, inputs: tuple[Tensor, ...], _: Sizes, known: Constants) -> Tensor:
    return torch.erf(inputs[0])


def sign(op: ops.Sign, inputs: tuple[Tensor, ...], _: Sizes, known: Constants) -> Tensor:
    return inputs[0].sign()  # its derivative is 0, and at 0 taken for that


def max_pool(op: ops.MaxPool, inputs: tuple[Tensor, ...], sizes: Sizes, known: Constants) -> Tensor:
    if _plain(op):
        return KERNELS[ops.MaxPool](op, inputs, sizes, known)
    return _taps(op, inputs[0], -torch.inf).amax(dim=0)


def avg_pool(op: ops.AvgPool, inputs: tuple[Tensor, ...], sizes: Sizes, known: Constants) -> Tensor:
    if _plain(op):
        return KERNELS[ops.AvgPool](op, inputs, sizes, known)
    counts = op.tap_counts(tuple(inputs[0].shape[-len(op.kernel) :]))
    count = functools.reduce(np.multiply.outer, counts).astype(np.float32)
    return _taps(op, inputs[0], 0).sum(dim=0) / torch.tensor(count, device=inputs[0].device)


def sum_pool(op: ops.SumPool, inputs: tuple[Tensor, ...], _: Sizes, known: Constants) -> Tensor:
    return _taps(op, inputs[0], 0).sum(dim=0)


def _plain(op: WindowPool) -> bool:
    """Tell whether torch has this pool."""
    even = all(lo == hi and 2 * lo <= k for (lo, hi), k in zip(op.padding, op.kernel, strict=True))
    return even and not op.ceil_mode and max(op.dilation) == 1


def _taps(op: WindowPool, x: Tensor, fill: float) -> Tensor:
    """Give [kernel positions, ...]: what each window sees, ``fill`` in the padding."""
    places = np.arange(1, x.numel() + 1).reshape(x.shape)
    index = torch.tensor(np.stack(op.views(places, 0)), device=x.device)
    return torch.cat([x.new_full((1,), fill), x.reshape(-1)])[index]


def _adaptive(by_rank: Mapping[int, Callable[..., Tensor]]) -> Kernel:
    def run(op: Any, inputs: tuple[Tensor, ...], _: Sizes, known: Constants) -> Tensor:
        (x,) = inputs
        rank = len(op.output)
        y = by_rank[rank](x.reshape(-1, 1, *x.shape[-rank:]), op.output)
        return y.reshape(*x.shape[:-rank], *op.output)

    return run


_OWN: Mapping[type[Op], Kernel] = {
    ops.QuantReLU: quantised,
    ops.Sigmoid: sigmoid,
    ops.GELU: gelu,
    ops.Erf: erf,
    ops.Sign: sign,
    ops.ReduceMean: mean,
    ops.ReduceSum: total,
    ops.ReduceMax: largest,
    ops.MaxPool: max_pool,
    ops.AvgPool: avg_pool,
    ops.SumPool: sum_pool,
    ops.AdaptiveAvgPool: _adaptive(
        {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}
    ),
    ops.AdaptiveMaxPool: _adaptive(
        {1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d}
    ),
    **dict.fromkeys(
        (
            *(ops.Gather, ops.Flip, ops.Roll, ops.Expand, ops.Tile),
            *(ops.PixelShuffle, ops.PixelUnshuffle),
        ),
        moved,
    ),
}
"""for ops whose fast kernel has no derivative, or that have none"""

GRADIENTS: Mapping[type[Op], Kernel] = {
    op: kernel for op, kernel in {**KERNELS, **MOVES, **_OWN}.items() if op is not ops.Resize
}
_BOUNDARY = (ops.Input, ops.Output, ops.Constant)


def without_gradient(graph: Graph) -> list[Node]:
    """Give the nodes that cannot be differentiated here."""
    return [n for n in graph if type(n.op) not in GRADIENTS and not isinstance(n.op, _BOUNDARY)]


def check_gradients(graph: Graph, remedy: str = "") -> None:
    """Refuse a graph that cannot be differentiated; all such nodes stand in one error."""
    problems = [
        Problem(f"{type(node.op).__name__} has no derivative here", node.place)
        for node in without_gradient(graph)
    ]
    if problems:
        what = "the network cannot be differentiated"
        raise UnsupportedModel(what, problems=problems, remedy=remedy)


SINGLE = np.dtype(np.float32)


class Parameters(Constants):
    """Constants of a graph, some of them tensors that are learned."""

    def __init__(self, learned: Iterable[Array] = (), dtype: np.dtype[Any] = SINGLE) -> None:
        super().__init__(dtype)
        self.learned: list[tuple[Array, Tensor]] = []
        for array in learned:
            tensor = torch.tensor(array.astype(self.dtype), requires_grad=True)
            self.put(array, tensor)
            self.learned.append((array, tensor))

    def put(self, array: Array, tensor: Tensor) -> None:
        """Let a tensor stand for an array from now on."""
        self.known[id(array)] = (array, tensor)


def forward(
    graph: Graph, inputs: Mapping[str, Tensor], parameters: Parameters
) -> dict[Value, Tensor]:
    """Give all values of a graph without time."""
    sizes = Sizes(len(next(iter(inputs.values()))), 1)
    found: dict[Value, Tensor] = {}
    for node in graph:
        match node.op:
            case ops.Input():
                results: tuple[Tensor, ...] = (inputs[node.name],)
            case ops.Output():
                continue
            case ops.Constant():
                results = (torch.tensor(node.op.value.data),)
            case _:
                operands = tuple(found[value] for value in node.inputs)
                results = (GRADIENTS[type(node.op)](node.op, operands, sizes, parameters),)
        found.update(zip(node.outputs, results, strict=True))
    return found
