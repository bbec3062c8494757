"""What every op says of itself: types, semantics, cost; everything else is derived."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.errors import TypeMismatch
from spikec.ir.array import Array
from spikec.ir.dims import Dim, Dims, Sizes, SymbolicDim
from spikec.ir.types import Analog, DType, Signal, Spikes, TensorType

Types = tuple[TensorType, ...]
Values = tuple[NDArray[Any], ...]
State = tuple[NDArray[Any], ...]


class Timing(Enum):
    """How a node relates to time steps."""

    STATIC = "static"
    """no operand holds T: computed once"""
    STEPWISE = "stepwise"
    """step t of the result needs step t of the operands only"""
    SCAN = "scan"
    """causal, with a state that goes from step to step"""
    WHOLE = "whole-sequence"
    """mixes steps: needs all of them"""


class Family(Enum):
    """Rooms of the op set; stage specs speak of families."""

    BOUNDARY = "boundary"
    AFFINE = "affine"
    NORM = "norm"
    ACTIVATION = "activation"
    POOL = "pool"
    SHAPE = "shape"
    MERGE = "merge"
    REDUCE = "reduce"
    LOGIC = "logic"
    NEURON = "neuron"
    CODING = "coding"
    TEMPORAL = "temporal"


@dataclass(frozen=True)
class Op(ABC):
    """An operation: a frozen dataclass whose fields are its arrays and options.

    Axes are counted from the end (-1 is the last), so that an op means the same with and without
    leading batch and time axes.  ``infer`` gives result types and refuses wrong operands; ``run``
    is the reference semantics on NumPy arrays, in the dtype of its operands.
    """

    family: ClassVar[Family]
    arity: ClassVar[tuple[int, int | None]] = (1, 1)
    """least and most number of operands; None for no limit"""

    @abstractmethod
    def infer(self, inputs: Types) -> Types:
        """Give the result types, or raise TypeMismatch."""

    @abstractmethod
    def run(self, inputs: Values, sizes: Sizes) -> Values:
        """Compute the results: the meaning of the op."""

    def mixed_axes(self, inputs: Types) -> tuple[int, ...]:
        """Name the axes (negative, of the first operand) along which elements meet or move."""
        return ()

    def mixes_time(self, inputs: Types) -> bool:
        """Tell whether elements of different steps meet or move.

        As given here it holds for ops whose further operands cannot hold T on a mixed axis where
        the first does not.
        """
        return inputs[0].time_axis in self.mixed_axes(inputs)

    def timing(self, inputs: Types) -> Timing:
        """Tell how this op, on these operands, relates to time steps."""
        if all(t.is_static for t in inputs):
            return Timing.STATIC
        return Timing.WHOLE if self.mixes_time(inputs) else Timing.STEPWISE

    def macs(self, inputs: Types, outputs: Types) -> Dim:
        """Count multiply-accumulates on dense operands, for all of B and T."""
        return 0

    @cached_property
    def arrays(self) -> Mapping[str, Array]:
        """The constant arrays among the fields, by name."""
        values = ((f.name, getattr(self, f.name)) for f in fields(self))
        return {name: value for name, value in values if isinstance(value, Array)}

    @property
    def params(self) -> int:
        """Number of elements in constant arrays."""
        return sum(array.size for array in self.arrays.values())


class ScanOp(Op):
    """An op with a state: ``run`` is derived from ``initial`` and ``step``.

    A static operand is seen anew at each step.
    """

    def timing(self, inputs: Types) -> Timing:
        """Scan, also over static operands."""
        return Timing.SCAN

    @abstractmethod
    def initial(self, inputs: Types, sizes: Sizes, dtype: np.dtype[Any]) -> State:
        """Give the state before the first step."""

    @abstractmethod
    def step(self, state: State, inputs: Values, time: int) -> tuple[State, Values]:
        """Advance by one step; ``time`` counts from 1; slices keep their time axis."""

    def run(self, inputs: Values, sizes: Sizes) -> Values:
        """Refuse: a scan runs step by step."""
        raise TypeMismatch(f"{type(self).__name__} runs step by step, not at once")


def expect(condition: bool, what: str, expected: str = "", remedy: str = "") -> None:
    """Raise TypeMismatch unless the condition holds."""
    if not condition:
        raise TypeMismatch(what, expected=expected, remedy=remedy)


def expect_float(x: TensorType) -> None:
    """Refuse an operand of integers or truth values."""
    expect(x.dtype.is_float, f"operand {x}", "floating point", "insert a Cast")


def expect_within(value: float | None, x: TensorType, what: str) -> None:
    """Refuse an option that the integers (or truth values) of the operand cannot express."""
    if value is None or x.dtype.is_float:
        return
    if x.dtype is DType.BOOL:
        fits = value in (0, 1)
    else:
        info = np.iinfo(x.dtype.numpy.name)
        fits = info.min <= value <= info.max and value == int(value)
    expect(fits, f"{what} {value} for elements of type {x.dtype.value}", "a value of that type")


def axis_of(axis: int, rank: int) -> int:
    """Check a negative axis against a rank, and return it."""
    expect(-rank <= axis < 0, f"axis {axis} of a value of rank {rank}", f"-{rank}..-1")
    return axis


def broadcast_dims(*shapes: Dims) -> Dims:
    """Broadcast sizes as NumPy does, symbols included.

    >>> from spikec.ir.dims import B
    >>> print(*broadcast_dims((B, 3, 1), (3, 8)))
    B 3 8
    """
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(dims)) + dims for dims in shapes]
    result: list[Dim] = []
    for column in zip(*padded, strict=True):
        wide = {dim for dim in column if dim != 1}
        expect(
            len(wide) <= 1,
            f"sizes {' and '.join(str(list(map(str, d))) for d in shapes)} do not broadcast",
            "equal sizes, or 1, on every axis counted from the end",
        )
        result.append(wide.pop() if wide else 1)
    return tuple(result)


def moved_signal(op: Op, dims: Dims, sources: Types) -> Signal:
    """Give the signal behind an op that only moves elements into a value of these sizes.

    The op is applied to the amplitudes themselves (at the least B and T), and axes along which the
    result does not vary are dropped again.  Spikes of different codes together are analog, and so
    are spikes whose amplitudes would vary along B or T.
    """
    signals = [x.signal for x in sources if isinstance(x.signal, Spikes)]
    if len(signals) < len(sources) or len({s.code for s in signals}) > 1:
        return Analog()
    first = signals[0]
    amplitude = Array(first.amplitude.data.reshape(-1)[0])
    if any(not np.array_equal(np.unique(s.amplitude.data), amplitude.data[None]) for s in signals):
        least = Sizes(1, math.lcm(*(x.rate.denominator for x in sources)))
        full = tuple(
            np.broadcast_to(s.amplitude.data, x.shape(least))
            for s, x in zip(signals, sources, strict=True)
        )
        moved_amplitude = _compressed(op.run(full, least)[0], dims)
        if moved_amplitude is None:
            return Analog()
        amplitude = moved_amplitude
    levels = max(s.levels for s in signals)
    return Spikes(amplitude, any(s.signed for s in signals), levels, first.code)


def _compressed(array: NDArray[Any], dims: Dims) -> Array | None:
    """Drop axes along which the array does not vary; None where it varies along B or T."""
    if array.size == 0:
        return None
    for axis, dim in enumerate(dims):
        first = array.take([0], axis=axis)
        if bool((array == first).all()):
            array = first
        elif isinstance(dim, SymbolicDim):
            return None
    while array.ndim and array.shape[0] == 1:
        array = array[0]
    return Array(array)


def moved(op: Op, dims: Dims, *sources: TensorType) -> Types:
    """Give one result of an op that only moves elements."""
    return (TensorType(dims, sources[0].dtype, moved_signal(op, dims, sources)),)


def analog(dims: Dims, like: TensorType) -> Types:
    """Give one analog result with these sizes and the element type of ``like``."""
    return (TensorType(dims, like.dtype, Analog()),)
