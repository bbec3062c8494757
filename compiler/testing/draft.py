"""A random graph in the making: values to build on, and random numbers to choose with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from spikec.errors import TypeMismatch
from spikec.ir import ops
from spikec.ir.array import Array
from spikec.ir.dims import Dims, Sizes
from spikec.ir.edit import Editor
from spikec.ir.graph import Graph, Stage, Value
from spikec.ir.location import Location
from spikec.ir.op import Op, broadcast_dims
from spikec.ir.types import DType, TensorType

Choice = TypeVar("Choice")
Test = Callable[[TensorType], bool]
LARGEST = 4096
"""Elements of a value, at B = 1 and T = 4, up to which ops may make it larger."""


class UnfitError(LookupError):
    """No value of the draft suits an op; another op is drawn."""


class Draft:
    """Values so far, with ways to pick among them and to add to them.

    With ``smooth`` only ops that are continuous in their floating operands are drawn, so that
    results in different precisions stay close.
    """

    def __init__(self, rng: np.random.Generator, stage: Stage, smooth: bool) -> None:
        self.rng = rng
        self.smooth = smooth
        self.edit = Editor(Graph(f"random{rng.integers(1000)}", stage), by="random_graph")
        self.values: list[Value] = []
        """what later ops may read"""

    def integer(self, low: int, high: int) -> int:
        """Draw a whole number, bounds included."""
        return int(self.rng.integers(low, high + 1))

    def real(self, low: float, high: float) -> float:
        """Draw a number."""
        return float(self.rng.uniform(low, high))

    def chance(self, probability: float = 0.5) -> bool:
        """Draw a truth value."""
        return bool(self.rng.random() < probability)

    def choose(self, *options: Choice) -> Choice:
        """Draw one of several."""
        return options[self.integer(0, len(options) - 1)]

    def divisor(self, number: int) -> int:
        """Draw a divisor."""
        return self.choose(*(n for n in range(1, number + 1) if number % n == 0))

    def array(self, *shape: int, low: float = -1.0, high: float = 1.0) -> Array:
        """Draw parameters."""
        return Array(self.rng.uniform(low, high, shape).astype(np.float32))

    def maybe(self, *shape: int) -> Array | None:
        """Draw parameters that may be absent."""
        return self.array(*shape) if self.chance(0.7) else None

    def pick(self, test: Test) -> Value:
        """Pick a value whose type passes; late ones more often."""
        fit = [value for value in self.values if test(value.type)]
        if not fit:
            raise UnfitError
        return self.choose(*(fit[-3:] if self.chance(0.6) else fit))

    def floats(self, ints: int = 0, least: int = 1, growing: bool = False) -> Value:
        """Pick floating values whose last ``ints`` axes are plain sizes of at least ``least``."""
        return self.pick(
            lambda t: t.dtype is DType.F32 and has_ints(t, ints, least) and not (growing and big(t))
        )

    def partner(self, x: Value) -> Value:
        """Pick a value that broadcasts with another one; a constant where there is none."""
        fit = [y for y in self.values if _meets(x.type, y.type)]
        if fit and self.chance(0.8):
            return self.choose(*fit)
        return self.constant(self.trailing(x.type), x.type.dtype)

    def trailing(self, type_: TensorType) -> tuple[int, ...]:
        """Draw a shape that broadcasts into a value: some of its last axes, or 1."""
        sizes: list[int] = []
        for dim in reversed(type_.dims[type_.rank - self.integer(0, type_.rank) :]):
            sizes.insert(0, dim if isinstance(dim, int) and self.chance() else 1)
        return tuple(sizes)

    def constant(self, shape: tuple[int, ...], dtype: DType = DType.F32) -> Value:
        """Add a Constant of numbers from -1 to 1, whole ones from 1 to 3, or truth values."""
        draws: dict[bool, NDArray[Any]] = {
            True: self.rng.uniform(-1, 1, shape),
            False: self.rng.integers(0 if dtype is DType.BOOL else 1, 4, shape) % 4,
        }
        data = draws[dtype.is_float]
        if dtype is DType.BOOL:
            data = data > 1
        return self.hidden(ops.Constant(Array(data.astype(dtype.numpy))))

    def axis(self, type_: TensorType) -> int:
        """Draw an axis of plain size."""
        axes = [axis - type_.rank for axis, dim in enumerate(type_.dims) if isinstance(dim, int)]
        if not axes:
            raise UnfitError
        return self.choose(*axes)

    def hidden(self, op: Op, *values: Value) -> Value:
        """Add a node that no later draw reads."""
        return self.edit.add(op, *values, location=self._location())

    def add(self, op: Op, *values: Value) -> Value:
        """Add a node whose result later draws may read."""
        result = self.hidden(op, *values)
        self.values.append(result)
        return result

    def squashed(self, x: Value) -> Value:
        """Bring a value between -1 and 1, so that products of it stay small."""
        return self.hidden(self.choose(ops.Tanh(), ops.Clip(-1.0, 1.0), ops.Softsign()), x)

    def _location(self) -> Location:
        module = self.choose("", "layer1.0", "0.body", "head")
        file = self.choose("", "net.py", "models/my net.py")
        onnx = self.choose("", "", "/layer1/Conv")
        first = Location.at(module, file, self.integer(1, 99) if file else 0, onnx)
        return first + Location.at("skip") if self.chance(0.1) else first


def has_ints(type_: TensorType, count: int, least: int = 1) -> bool:
    """Tell whether the last ``count`` axes are plain sizes of at least ``least``."""
    tail = type_.dims[type_.rank - count :] if count else ()
    enough = type_.rank >= count
    return enough and all(isinstance(dim, int) and dim >= least for dim in tail)


def ints(dims: Dims) -> tuple[int, ...]:
    """Give sizes that are known to be plain ones."""
    return tuple(dim for dim in dims if isinstance(dim, int))


def big(type_: TensorType) -> bool:
    """Tell whether a value has so many elements, or axes, that it should not grow."""
    return type_.rank > 5 or Sizes(1, 4).of(type_.size) > LARGEST // 8


def _meets(x: TensorType, y: TensorType) -> bool:
    """Tell whether two values broadcast, to something not too large."""
    if x.dtype is not y.dtype or len({x.time_axis, y.time_axis} - {None}) > 1:
        return False
    try:
        joint = TensorType(broadcast_dims(x.dims, y.dims))
    except TypeMismatch:
        return False
    return Sizes(1, 4).of(joint.size) <= LARGEST
