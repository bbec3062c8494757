"""Types of values: sizes with symbols, element type, and what the numbers stand for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction

import numpy as np

from spikec.errors import TypeMismatch
from spikec.ir.array import Array
from spikec.ir.dims import Dim, Dims, Sizes, has_batch, has_time, per_step, product, rate_of


class DType(Enum):
    """Element types, by the names that the text format writes."""

    F16 = "f16"
    F32 = "f32"
    F64 = "f64"
    I8 = "i8"
    I16 = "i16"
    I32 = "i32"
    I64 = "i64"
    U8 = "u8"
    BOOL = "bool"

    @property
    def is_float(self) -> bool:
        return self.value[0] == "f"

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """The NumPy element type."""
        return _NUMPY[self]

    @staticmethod
    def of(dtype: np.dtype[np.generic]) -> DType:
        """Give the element type of a NumPy array."""
        for mine, numpy_dtype in _NUMPY.items():
            if numpy_dtype == dtype:
                return mine
        raise TypeMismatch(f"element type {dtype} is not supported")


_NUMPY: dict[DType, np.dtype[np.generic]] = {
    DType.F16: np.dtype(np.float16),
    DType.F32: np.dtype(np.float32),
    DType.F64: np.dtype(np.float64),
    DType.I8: np.dtype(np.int8),
    DType.I16: np.dtype(np.int16),
    DType.I32: np.dtype(np.int32),
    DType.I64: np.dtype(np.int64),
    DType.U8: np.dtype(np.uint8),
    DType.BOOL: np.dtype(np.bool_),
}


class Code(Enum):
    """How a train of events stands for a value ``a``; s[t] are event values, t = 1..T."""

    RATE = "rate"
    """a = (1/T) Σ s[t]"""
    SUM = "sum"
    """a = Σ s[t]"""
    DIFFERENTIAL = "differential"
    """a = Σ s[t] / t"""
    FEW_SPIKES = "few-spikes"
    """a = Σ 2^-t s[t], one window per layer"""
    DELTA = "delta"
    """a[t] = Σ_{τ≤t} s[τ], for sequences of frames"""
    PHASED = "phased"
    """as rate, in a window that starts when the layer before has finished"""
    LATENCY = "latency"
    """a = decreasing function of the one event's time"""


@dataclass(frozen=True)
class Analog:
    """Any real (or integer) number."""


@dataclass(frozen=True)
class Spikes:
    """Events: value = amplitude * k with an integer k, |k| <= levels, k >= 0 unless signed.

    ``amplitude`` is a scalar or broadcasts against the value's trailing axes, e.g. [C, 1, 1].
    """

    amplitude: Array
    signed: bool = False
    levels: int = 1
    code: Code = Code.RATE


Signal = Analog | Spikes


@dataclass(frozen=True)
class TensorType:
    """What flows along an edge.

    At most one axis holds ``T`` and at most one ``B``; in the axis that holds ``T``, time is the
    outermost factor, so that step t is one contiguous block of it.

    >>> from spikec.ir.dims import B
    >>> print(TensorType((B, 3, 32, 32)))
    f32[B, 3, 32, 32]
    """

    dims: Dims
    dtype: DType = DType.F32
    signal: Signal = Analog()

    def __post_init__(self) -> None:
        for name, test in (("T", has_time), ("B", has_batch)):
            axes = [axis for axis, dim in enumerate(self.dims) if test(dim)]
            if len(axes) > 1 or any(str(self.dims[axis]).count(name) > 1 for axis in axes):
                raise TypeMismatch(
                    f"{_bracket(self.dims)} holds {name} more than once",
                    expected="every value holds batch and time at most once",
                )

    @property
    def rank(self) -> int:
        return len(self.dims)

    @property
    def size(self) -> Dim:
        """Number of elements."""
        return product(self.dims)

    @property
    def time_axis(self) -> int | None:
        """The axis that holds T, counted from the end (negative); None for a static value."""
        return next((a - self.rank for a, dim in enumerate(self.dims) if has_time(dim)), None)

    @property
    def batch_axis(self) -> int | None:
        """The axis that holds B, counted from the end (negative)."""
        return next((a - self.rank for a, dim in enumerate(self.dims) if has_batch(dim)), None)

    @property
    def rate(self) -> Fraction:
        """Steps of this value per step of the program; 1 for a static value."""
        axis = self.time_axis
        return Fraction(1) if axis is None else rate_of(self.dims[axis])

    @property
    def is_static(self) -> bool:
        """A value without T is computed once, not T times."""
        return self.time_axis is None

    @property
    def is_spikes(self) -> bool:
        return isinstance(self.signal, Spikes)

    def step(self) -> TensorType:
        """Give the type of one step's slice (the time axis stays, with T replaced by 1)."""
        return replace(self, dims=tuple(per_step(dim) for dim in self.dims))

    def analog(self) -> TensorType:
        """Give the same type as an analog value."""
        return replace(self, signal=Analog())

    def shape(self, sizes: Sizes) -> tuple[int, ...]:
        """Give the shape in numbers."""
        return sizes.shape(self.dims)

    def with_dims(self, dims: Dims) -> TensorType:
        """Give the type with other sizes."""
        return replace(self, dims=dims)

    def __str__(self) -> str:
        """Write ``f32[T, B, 10] spikes(...)``."""
        text = f"{self.dtype.value}{_bracket(self.dims)}"
        return text if isinstance(self.signal, Analog) else f"{text} {_describe(self.signal)}"


def _bracket(dims: Dims) -> str:
    return f"[{', '.join(map(str, dims))}]"


def _describe(signal: Spikes) -> str:
    amplitude = signal.amplitude
    shown = f"{amplitude.data.item():g}" if amplitude.size == 1 else f"{list(amplitude.shape)}"
    sign = "±" if signal.signed else ""
    return f"spikes({signal.code.value}, {sign}{signal.levels} × {shown})"
