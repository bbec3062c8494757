"""How the elements of a value over time lie in memory, as a scan walks through them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikec.ir.types import TensorType


@dataclass(frozen=True)
class Layout:
    """Steps, samples, and the rest of the axes of one sample's step in the order of memory."""

    type: TensorType
    steps: int
    samples: int
    rest: tuple[int, ...]
    """sizes of the other axes"""
    order: tuple[int, ...]
    """those axes from the largest stride to the smallest"""

    @property
    def inner(self) -> int:
        """Elements of one sample's step."""
        return math.prod(self.rest)

    @property
    def elements(self) -> int:
        """Elements of all steps and samples."""
        return self.steps * self.samples * self.inner

    def room(self, dtype: torch.dtype) -> Tensor:
        """Give memory for a value, as [steps, samples, inner]."""
        return torch.empty((self.steps, self.samples, self.inner), dtype=dtype)

    def value(self, room: Tensor) -> Tensor:
        """Give what lies in memory in this layout as a value of the type."""
        wide = self._wide(room)
        batch, time = self.type.batch_axis, self.type.time_axis
        per_step = wide.squeeze(1) if batch is None else wide.movedim(1, batch)
        assert time is not None  # scans give values over time
        axis = self.type.rank + time
        return per_step.movedim(0, axis).flatten(axis, axis + 1)

    def arranged(self, x: Tensor) -> Tensor:
        """Give x as [steps, samples, *rest] in this layout, copied where it lies otherwise."""
        wide = unfolded(x, self.type, self.steps)
        if _order(wide) == self.order:
            return wide
        room = self.room(x.dtype)
        self._wide(room).copy_(wide)
        return self._wide(room)

    def _wide(self, room: Tensor) -> Tensor:
        rest = (self.rest[axis] for axis in self.order)
        inverse = (2 + self.order.index(axis) for axis in range(len(self.order)))
        return room.view(self.steps, self.samples, *rest).permute(0, 1, *inverse)

    def spread(self, array: NDArray[Any]) -> NDArray[Any]:
        """Lay a parameter out like one sample's step; one number stays one number."""
        if array.size == 1:
            return np.ascontiguousarray(array.reshape(1))
        batch = self.type.batch_axis
        lead = (1,) * (self.type.rank - array.ndim)
        wide = array.reshape(*lead, *array.shape)
        wide = wide[np.newaxis] if batch is None else np.moveaxis(wide, batch, 0)
        full = np.broadcast_to(wide[0], self.rest)
        return np.ascontiguousarray(full.transpose(self.order)).reshape(-1)


def laid_out(x: Tensor, type_: TensorType, steps: int, plain: bool) -> tuple[Layout, Tensor]:
    """Give the layout of x, and x as [steps, samples, *rest] with each sample's step in one piece.

    x is copied where its elements do not lie like that, and into row-major order where ``plain``.
    """
    wide = unfolded(x, type_, steps)
    rest = tuple(wide.shape[2:])
    order = _order(wide)
    if order is None or (plain and order != tuple(range(len(rest)))):
        wide = wide.contiguous()
        order = tuple(range(len(rest)))
    return Layout(type_, steps, wide.shape[1], rest, order), wide


def unfolded(x: Tensor, type_: TensorType, steps: int) -> Tensor:
    """Give x as [steps, samples, *rest], a view."""
    time, batch = type_.time_axis, type_.batch_axis
    assert time is not None
    axis = type_.rank + time
    parts = (*x.shape[:axis], steps, x.shape[axis] // steps, *x.shape[axis + 1 :])
    wide = x.view(parts).movedim(axis, 0)
    return wide.unsqueeze(1) if batch is None else wide.movedim(batch, 1)


def _order(wide: Tensor) -> tuple[int, ...] | None:
    """Give the axes behind steps and samples by falling stride; None where there are gaps."""
    sizes, strides = wide.shape[2:], wide.stride()[2:]
    order = sorted(range(len(sizes)), key=lambda axis: (-strides[axis], axis))
    expected = 1
    for axis in reversed(order):
        if sizes[axis] != 1 and strides[axis] != expected:
            return None
        expected *= sizes[axis]
    return tuple(order)
