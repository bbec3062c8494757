"""Runs a scan through the compiled code."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikec.ir.graph import Node
from spikec.ir.ops.neuron_rules import number
from spikec.runtime.layerwise.layout import Layout, laid_out
from spikec.runtime.layerwise.native.library import Library
from spikec.runtime.layerwise.native.rules import Option, Parameter, Rule
from spikec.runtime.layerwise.pulse import Operand, Pulse, Quanta, Sum, whole

STATES = 3
SHARE = 1 << 15
"""Elements below which waking up another thread takes longer than the work (as in torch)."""
Counts = NDArray[np.int64]
"""[2, steps, samples]: events, and quanta"""
REALS: dict[str, Any] = {"float32": ctypes.c_float, "float64": ctypes.c_double}


@dataclass(frozen=True)
class ByteForm:
    """How events become bytes."""

    zero: int
    amplitude: float
    alone: bool
    """whether nobody needs them in any other form"""


@functools.cache
def structure(dtype: str) -> type[ctypes.Structure]:
    """Give the structure of the C source for one element type."""
    whole, pointer = ctypes.c_int64, ctypes.c_void_p
    fields = [
        ("x", pointer),
        ("y", pointer),
        *((name, whole) for name in ("samples", "inner", "steps")),
        *((name, whole) for name in ("x_sample", "x_step", "y_sample", "y_step")),
        ("silent_from", whole),
        ("first", whole),
        ("state", pointer * STATES),
        ("parameter", pointer * len(Parameter)),
        ("whole", whole * len(Parameter)),
        ("option", whole * len(Option)),
        ("margin", REALS[dtype] * 2),
        ("events", pointer),
        ("quanta", pointer),
        ("bytes", pointer),
        ("zero", whole),
        ("more", pointer),
        ("more_bytes", pointer),
        ("more_sample", whole),
        ("more_step", whole),
        ("more_zero", whole),
        ("more_amplitude", REALS[dtype]),
    ]
    return type("Scan", (ctypes.Structure,), {"_fields_": fields})


class NativeScan:
    """A scan of one floating-point value.

    Where it ``carries``, it keeps its state from one block of steps to the next.
    """

    def __init__(
        self, node: Node, rule: Rule, library: Library, dtype: np.dtype[Any], carries: bool
    ) -> None:
        self.node = node
        self.rule = rule
        self.library = library
        self.dtype = dtype
        self.carries = carries
        self.counts: list[Counts] | None = None
        """where wanted: events and quanta per block of steps"""
        self.bytes: ByteForm | None = None
        """where wanted: the events as bytes too"""
        self._state: NDArray[Any] | None = None

    def advance(self, operands: Sequence[Operand], first: int, count: int) -> tuple[Operand, ...]:
        """Go ``count`` steps from step ``first`` (1 at the beginning)."""
        (x,) = operands
        silent_from = x.on if isinstance(x, Pulse) else count
        if isinstance(x, Sum):
            tensor, more = x.a, x.b
        else:
            tensor, more = x.x if isinstance(x, Pulse) else whole(x), None
        layout, wide = laid_out(tensor, self.node.inputs[0].type, count, self.carries)
        form = self.bytes
        room = None if form is not None and form.alone else layout.room(tensor.dtype)
        small = None if form is None else layout.room(torch.uint8)
        if layout.elements:
            self._call(layout, (wide, more), (room, small), (first, silent_from))
        elif self.counts is not None:
            self.counts.append(np.zeros((2, count, layout.samples), np.int64))
        y = None if room is None else layout.value(room)
        if form is None or small is None:
            assert y is not None  # without bytes there is room
            return (y,)
        return (Quanta(layout.value(small), form.zero, form.amplitude, y),)

    def _call(
        self,
        layout: Layout,
        read: tuple[Tensor, Tensor | Quanta | None],
        rooms: tuple[Tensor | None, Tensor | None],
        time: tuple[int, int],
    ) -> None:
        scan = structure(self.dtype.name)()
        arrays = self._parameters(layout)
        tiles = layout.samples * -(-layout.inner // self.library.tile)
        counted = np.zeros((2, tiles, layout.steps), np.int64) if self.counts is not None else None
        wide, more = read
        scan.x = wide.data_ptr()
        kept_alive = self._give_more(scan, layout, more)
        scan.y, scan.bytes = (None if room is None else room.data_ptr() for room in rooms)
        scan.zero = 0 if self.bytes is None else self.bytes.zero
        scan.samples, scan.inner, scan.steps = layout.samples, layout.inner, layout.steps
        scan.x_step, scan.x_sample = wide.stride(0), wide.stride(1)
        scan.y_step, scan.y_sample = layout.samples * layout.inner, layout.inner
        scan.first, scan.silent_from = time
        if self.carries:
            scan.state[:] = [row.ctypes.data for row in self._kept(layout)]
        scan.parameter[:] = [array.ctypes.data for array in arrays]
        scan.whole[:] = [int(array.size > 1) for array in arrays]
        scan.option[:] = [self.rule.options.get(option, 0) for option in Option]
        scan.margin[:] = [float(self.dtype.type(margin)) for margin in self.rule.margins]
        if counted is not None:
            scan.events, scan.quanta = (counted[i].ctypes.data for i in range(2))
        self.library.scan(
            ctypes.byref(scan),
            ctypes.c_int64(self.rule.kind),
            ctypes.c_uint(_threads(layout.elements)),
            self.library.parallel,
        )
        del kept_alive
        if counted is not None and self.counts is not None:
            per_sample = counted.reshape(2, layout.samples, -1, layout.steps).sum(axis=2)
            self.counts.append(per_sample.swapaxes(1, 2))

    def _give_more(self, scan: Any, layout: Layout, more: Tensor | Quanta | None) -> Tensor | None:
        """Point to what is added to the current; give the memory that has to stay."""
        if more is None:
            return None
        wide = layout.arranged(more.k if isinstance(more, Quanta) else more)
        if isinstance(more, Quanta):
            scan.more_bytes = wide.data_ptr()
            scan.more_zero, scan.more_amplitude = more.zero, more.amplitude
        else:
            scan.more = wide.data_ptr()
        scan.more_step, scan.more_sample = wide.stride(0), wide.stride(1)
        return wide

    def _parameters(self, layout: Layout) -> list[NDArray[Any]]:
        given = self.rule.parameters
        return [layout.spread(number(given.get(name), self.dtype)) for name in Parameter]

    def _kept(self, layout: Layout) -> NDArray[Any]:
        if self._state is None:
            self._state = np.zeros((STATES, layout.samples * layout.inner), self.dtype)
        return self._state


def _threads(elements: int) -> int:
    return max(1, min(torch.get_num_threads(), elements // SHARE))
