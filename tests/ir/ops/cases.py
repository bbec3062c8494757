"""Cases: analog ops on small operands, with the PyTorch expression that says what is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spikec.ir import Array, B, Dim, DType, Op, Sizes, TensorType

Draw = Callable[[np.random.Generator, tuple[int, ...]], NDArray[Any]]
Truth = Callable[..., Any]
"""Tensors of the operands -> tensor, or tuple of tensors, of the results."""
Refusal = tuple[Op, tuple[TensorType, ...], str]
"""An op, operands that it must refuse, and words of the error."""


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    """Numbers of either sign, around 0."""
    return rng.normal(0, 2, shape)


def positive(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    return rng.uniform(0.1, 4, shape)


def halves(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    """Multiples of 1/2: zeros, ties, equal elements."""
    return rng.integers(-5, 6, shape) / 2


def distinct(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    """No two elements equal."""
    return rng.permutation(int(np.prod(shape))).reshape(shape) - 7.0


@dataclass(frozen=True)
class Case:
    """An op on operands of these types, and the truth about it."""

    op: Op
    operands: tuple[TensorType, ...]
    truth: Truth
    draw: Draw = normal
    trailing: bool = True
    """the op speaks of trailing axes alone: more axes may stand in front, or no batch at all"""
    note: str = ""
    refusals: tuple[Refusal, ...] = ()

    def __str__(self) -> str:
        """Name the case in a test report."""
        return "-".join(filter(None, (type(self.op).__name__, self.note)))

    def typed(self, dtype: DType) -> Case:
        """Give the case with floats of that type."""
        kinds = (replace(x, dtype=dtype) if x.dtype.is_float else x for x in self.operands)
        return replace(self, operands=tuple(kinds))

    def values(self, batch: int = 3, seed: int = 0) -> tuple[NDArray[Any], ...]:
        """Draw operands."""
        rng = np.random.default_rng(seed)
        return tuple(self._value(rng, x, x.shape(Sizes(batch))) for x in self.operands)

    def _value(
        self, rng: np.random.Generator, x: TensorType, shape: tuple[int, ...]
    ) -> NDArray[Any]:
        if x.dtype is DType.BOOL:
            return rng.random(shape) < 0.5
        if not x.dtype.is_float:
            return rng.integers(0, 6, shape).astype(x.dtype.numpy)
        return self.draw(rng, shape).astype(x.dtype.numpy)

    def expected(self, values: tuple[NDArray[Any], ...]) -> tuple[NDArray[Any], ...]:
        """Let PyTorch compute the results."""
        result = self.truth(*(torch.from_numpy(np.array(v)) for v in values))
        tensors = result if isinstance(result, tuple) else (result,)
        return tuple(tensor.numpy() for tensor in tensors)


_WEIGHTS = np.random.default_rng(7)


def weights(*shape: int, low: float | None = None) -> Array:
    """Draw constant weights; with ``low`` all of them are above it."""
    drawn = _WEIGHTS.normal(0, 1, shape)
    return Array(drawn if low is None else low + np.abs(drawn))


def as_tensor(array: Array, x: torch.Tensor) -> torch.Tensor:
    """Give a weight in the element type of an operand."""
    return torch.from_numpy(np.array(array.data)).to(x.dtype)


def f32(*dims: Dim) -> TensorType:
    """Give a batch of floats."""
    return TensorType((B, *dims))


def static(*dims: Dim, dtype: DType = DType.F32) -> TensorType:
    """Give a value without batch."""
    return TensorType(dims, dtype)


def typed(dtype: DType, *dims: Dim) -> TensorType:
    """Give a batch of another element type."""
    return TensorType((B, *dims), dtype)
