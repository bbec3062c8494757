"""Which indices of one axis reach which: the factors that connections of layers are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Axis(ABC):
    """A relation between ``outputs`` indices of a layer and ``inputs`` indices of its source."""

    @property
    @abstractmethod
    def outputs(self) -> int: ...

    @property
    @abstractmethod
    def inputs(self) -> int: ...

    @abstractmethod
    def fan_in(self) -> Counts:
        """Number of sources per output."""

    @abstractmethod
    def fan_out(self) -> Counts:
        """Number of outputs per source."""

    @abstractmethod
    def select(self, index: Counts) -> Axis:
        """Give the relation of other outputs: output i is the old output index[i], -1 for none."""

    @abstractmethod
    def blocks(self, size: int) -> Flags:
        """Tell which sources reach each block of ``size`` outputs: [blocks, inputs]."""

    def sources(self, size: int) -> Counts:
        """Number of sources per block."""
        return np.asarray(self.blocks(size).sum(axis=1))


@dataclass(frozen=True, eq=False)
class Rows(Axis):
    """At most one source per output: ``index``, -1 for none."""

    index: Counts
    size: int

    @staticmethod
    def same(size: int) -> Rows:
        """Connect one to one."""
        return Rows(np.arange(size), size)

    @property
    def outputs(self) -> int:
        return len(self.index)

    @property
    def inputs(self) -> int:
        return self.size

    def fan_in(self) -> Counts:
        return (self.index >= 0).astype(np.int64)

    def fan_out(self) -> Counts:
        return np.bincount(self.index[self.index >= 0], minlength=self.size)

    def select(self, index: Counts) -> Axis:
        return Rows(np.where(index >= 0, self.index[index], -1), self.size)

    def blocks(self, size: int) -> Flags:
        number = np.arange(self.outputs) // size
        flags = np.zeros((-(-self.outputs // size), self.size), np.bool_)
        held = self.index >= 0
        flags[number[held], self.index[held]] = True
        return flags

    def sources(self, size: int) -> Counts:
        number = np.arange(self.outputs) // size
        held = self.index >= 0
        pairs = np.unique(number[held] * self.size + self.index[held])
        return np.bincount(pairs // self.size, minlength=-(-self.outputs // size))


@dataclass(frozen=True, eq=False)
class Full(Axis):
    """Every source reaches every output."""

    rows: int
    columns: int

    @property
    def outputs(self) -> int:
        return self.rows

    @property
    def inputs(self) -> int:
        return self.columns

    def fan_in(self) -> Counts:
        return np.full(self.rows, self.columns)

    def fan_out(self) -> Counts:
        return np.full(self.columns, self.rows)

    def select(self, index: Counts) -> Axis:
        if (index >= 0).all():
            return Full(len(index), self.columns)
        return Table(np.broadcast_to((index >= 0)[:, None], (len(index), self.columns)))

    def blocks(self, size: int) -> Flags:
        return np.broadcast_to(np.True_, (-(-self.rows // size), self.columns))

    def sources(self, size: int) -> Counts:
        return np.full(-(-self.rows // size), self.columns)


@dataclass(frozen=True, eq=False)
class Table(Axis):
    """Any relation: [outputs, inputs]."""

    flags: Flags

    @property
    def outputs(self) -> int:
        return int(self.flags.shape[0])

    @property
    def inputs(self) -> int:
        return int(self.flags.shape[1])

    def fan_in(self) -> Counts:
        return np.asarray(self.flags.sum(axis=1))

    def fan_out(self) -> Counts:
        return np.asarray(self.flags.sum(axis=0))

    def select(self, index: Counts) -> Axis:
        return Table(self.flags[index] & (index >= 0)[:, None])

    def blocks(self, size: int) -> Flags:
        starts = np.arange(0, self.outputs, size)
        return np.asarray(np.logical_or.reduceat(self.flags, starts, axis=0))


def compose(outer: Axis, inner: Axis) -> Axis:
    """Give the relation of the outputs of ``outer`` and the sources of ``inner``."""
    if isinstance(outer, Rows):
        return inner.select(outer.index)
    if isinstance(outer, Full):
        reached = inner.fan_out() > 0
        if reached.all():
            return Full(outer.rows, inner.inputs)
        return Table(np.broadcast_to(reached, (outer.rows, inner.inputs)))
    assert isinstance(outer, Table)  # there is no other
    return Table(_product(outer.flags, inner))


def _product(flags: Flags, inner: Axis) -> Flags:
    if isinstance(inner, Full):
        reached = np.asarray(flags.any(axis=1))
        return np.broadcast_to(reached[:, None], (len(flags), inner.columns))
    if isinstance(inner, Rows):
        held = inner.index >= 0
        joined = np.zeros((inner.size, len(flags)), np.bool_)
        np.logical_or.at(joined, inner.index[held], flags.T[held])
        return joined.T
    assert isinstance(inner, Table)
    return np.asarray(flags.astype(np.float32) @ inner.flags.astype(np.float32) > 0)


def windows(size: int, kernel: int, stride: int, before: int, dilation: int, outputs: int) -> Table:
    """Relate windows to the positions that they cover: s o + d k - p."""
    taps = np.arange(outputs)[:, None] * stride + np.arange(kernel) * dilation - before
    flags = np.zeros((outputs, size), np.bool_)
    rows, columns = np.nonzero((taps >= 0) & (taps < size))
    flags[rows, taps[rows, columns]] = True
    return Table(flags)


def spread(size: int, kernel: int, stride: int, before: int, dilation: int, outputs: int) -> Table:
    """Relate positions of a transposed convolution to what is spread over them."""
    return Table(windows(outputs, kernel, stride, before, dilation, size).flags.T)


def grouped(outputs: int, inputs: int, groups: int) -> Axis:
    """Relate channels of a convolution."""
    if groups == 1:
        return Full(outputs, inputs)
    of_output = np.arange(outputs) // (outputs // groups)
    of_input = np.arange(inputs) // (inputs // groups)
    return Table(np.equal(of_output[:, None], of_input[None]))


def regions(size: int, outputs: int) -> Table:
    """Relate regions of an adaptive pool to the positions that they cover."""
    start = np.arange(outputs) * size // outputs
    stop = -(-(np.arange(1, outputs + 1) * size) // outputs)
    place = np.arange(size)
    return Table((place >= start[:, None]) & (place < stop[:, None]))
