"""Runs one block of samples through a graph, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from spikec.ir.dims import Sizes
from spikec.ir.graph import Node, Value
from spikec.ir.op import ScanOp
from spikec.ir.ops.boundary import Input
from spikec.ir.ops.merge import Add
from spikec.runtime.feed import Feed
from spikec.runtime.layerwise.integers import IntegerAffine
from spikec.runtime.layerwise.kernels import KERNELS, MOVES, Constants, tensor_of
from spikec.runtime.layerwise.native.call import ByteForm, NativeScan
from spikec.runtime.layerwise.observe import Recorder, folded
from spikec.runtime.layerwise.plan import Phase, Plan
from spikec.runtime.layerwise.pulse import Operand, added, whole
from spikec.runtime.layerwise.scans import Scan, scan_for
from spikec.runtime.reference import at_node, checked

Tensors = tuple[Tensor, ...]


@dataclass(frozen=True)
class Setting:
    """What all blocks of a run share."""

    plan: Plan
    feed: Feed
    wanted: frozenset[str]
    constants: Constants
    recorder: Recorder
    integers: Mapping[Node, IntegerAffine]
    """nodes that run on int8 units"""
    done: Callable[[], None]
    """called behind each node of a block of steps"""


class Block:
    """Values of one block of samples; each is dropped behind its last use unless it is wanted."""

    def __init__(
        self, setting: Setting, arrays: Mapping[str, Tensor], start: int, samples: int
    ) -> None:
        self.setting = setting
        self.arrays = arrays
        self.start = start
        self.sizes = Sizes(samples, setting.feed.sizes.steps)
        self.full: dict[Value, Tensor] = {}
        nodes = [node for phase in setting.plan.phases for node in phase.nodes]
        self.waiting = {value: set(value.users) for node in nodes for value in node.outputs}

    def run(self) -> dict[str, Tensor]:
        """Give the wanted values."""
        for phase in self.setting.plan.phases:
            if phase.steps_through:
                self._step_through(phase)
            else:
                self._once(phase.nodes)
        wanted = self.setting.wanted
        return {value.name: x for value, x in self.full.items() if value.name in wanted}

    def _once(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            if isinstance(node.op, Input):
                results: Tensors = (self.arrays[node.name],)
            else:
                operands = tuple(self.full[value] for value in node.inputs)
                results = self._compute(node, operands, self.sizes)
            self.full.update(zip(node.outputs, results, strict=True))
            for value, x in zip(node.outputs, results, strict=True):
                steps = int(self.sizes.steps * value.type.rate)
                self._count(value, x, None, (1, 1 if value.type.is_static else steps))
            self._release([node])
            self.setting.done()

    def _step_through(self, phase: Phase) -> None:
        plan = self.setting.plan
        scans = {
            node: self._scan(phase, node) for node in phase.nodes if isinstance(node.op, ScanOp)
        }
        kept: dict[Value, list[Tensor]] = {
            value: []
            for node in phase.nodes
            for value in node.outputs
            if phase.kept(value, self.setting.wanted)
        }
        for start in range(0, self.sizes.steps, plan.steps):
            span = Span(start, min(plan.steps, self.sizes.steps - start))
            self._through_steps(phase, scans, kept, span)
        for value, parts in kept.items():
            self.full[value] = _joined(parts, value)
        self._release(phase.nodes)

    def _scan(self, phase: Phase, node: Node) -> Scan:
        carries = self.setting.plan.steps < self.sizes.steps
        scan = scan_for(node, self.setting.feed, self.sizes.batch, carries)
        if isinstance(scan, NativeScan) and scan.rule.fires:
            value = node.outputs[0]
            scan.counts = [] if value in self.setting.recorder.values else None
            scan.bytes = self._byte_form(value, phase.kept(value, self.setting.wanted))
        return scan

    def _byte_form(self, value: Value, kept: bool) -> ByteForm | None:
        """Let a neuron write bytes where some reader runs on int8 units."""
        setting = self.setting
        readers = [setting.integers[n] for n in value.users if n in setting.integers]
        if not readers:
            return None
        alone = not kept and all(n in setting.integers or _is_sum(n) for n in value.users)
        return ByteForm(readers[0].zero, readers[0].amplitude, alone)

    def _through_steps(
        self,
        phase: Phase,
        scans: Mapping[Node, Scan],
        kept: Mapping[Value, list[Tensor]],
        span: Span,
    ) -> None:
        """Run the nodes of a phase over a span of steps."""
        sizes = Sizes(self.sizes.batch, span.steps)
        now: dict[Value, Operand] = {}
        left = {v: len(v.users.keys() & set(phase.nodes)) for n in phase.nodes for v in n.outputs}
        for node in phase.nodes:
            operands = tuple(
                now[v] if v in now else span.of(v, self.full[v], self.sizes) for v in node.inputs
            )
            first, count = span.at(phase.rate)
            if node in scans:
                results = scans[node].advance(operands, first, count)
            elif _is_sum(node):
                spent = [v in now and v not in kept and len(v.users) == 1 for v in node.inputs]
                lazy = self._goes_into_scan(node, scans, kept)
                results = (added(node, operands, spent, lazy),)
            else:
                results = self._compute(node, operands, sizes)
            for value, x in zip(node.outputs, results, strict=True):
                now[value] = x
                if value in kept:
                    kept[value].append(whole(x))
                self._count(value, x, scans.get(node), (first, count))
            for value in {*node.inputs, *node.outputs} & now.keys():
                left[value] -= value in node.inputs
                if not left[value]:
                    del now[value]
            self.setting.done()

    def _goes_into_scan(
        self, node: Node, scans: Mapping[Node, Scan], kept: Mapping[Value, object]
    ) -> bool:
        """Tell whether a compiled scan is the only reader, which adds up while it reads."""
        (value,) = node.outputs
        if value in kept or value in self.setting.recorder.values or len(value.users) != 1:
            return False
        (reader,) = value.users
        return isinstance(scans.get(reader), NativeScan)

    def _count(self, value: Value, x: Operand, scan: Scan | None, time: tuple[int, int]) -> None:
        """Enter the events of a value, from the scan that has counted them where it has."""
        recorder = self.setting.recorder
        if value not in recorder.values:
            return
        samples = self.sizes.batch
        if isinstance(scan, NativeScan) and scan.counts is not None:
            counted = folded(scan.counts.pop(), value, samples)
        else:
            counted = recorder.count(value, whole(x), time[1], samples)
        recorder.note(value, counted, time[0], self.start)

    def _compute(self, node: Node, given: Sequence[Operand], sizes: Sizes) -> Tensors:
        """Run a node that has no state."""
        if node in self.setting.integers:
            y = self.setting.integers[node].run(given[0])
            if y is not None:
                return (y,)
        op, operands = node.op, tuple(map(whole, given))
        floating = operands and all(x.is_floating_point() for x in operands)
        kernel = MOVES.get(type(op)) or (KERNELS.get(type(op)) if floating else None)
        constants = self.setting.constants
        if kernel is None:
            arrays = tuple(x.contiguous().numpy() for x in operands)
            results = at_node(node, lambda: op.run(arrays, sizes))
            checked_results = checked(self.setting.feed, node, sizes, results)
            return tuple(tensor_of(np.asarray(array)) for array in checked_results)
        return (at_node(node, lambda: kernel(op, operands, sizes, constants)),)

    def _release(self, done: Iterable[Node]) -> None:
        for node in done:
            for value in (*node.inputs, *node.outputs):
                self.waiting[value].discard(node)
                if not self.waiting[value] and value.name not in self.setting.wanted:
                    self.full.pop(value, None)


@dataclass(frozen=True)
class Span:
    """Some consecutive steps of the program."""

    start: int
    steps: int

    def at(self, rate: Fraction) -> tuple[int, int]:
        """Give first step (from 1) and number of steps at another rate."""
        return int(self.start * rate) + 1, int(self.steps * rate)

    def of(self, value: Value, x: Tensor, sizes: Sizes) -> Tensor:
        """Cut the steps out of a value; a static one is the same at each step."""
        axis = value.type.time_axis
        if axis is None or self.steps == sizes.steps:
            return x
        size = x.shape[axis]  # spans are whole numbers of steps at every rate
        return x.narrow(axis, self.start * size // sizes.steps, self.steps * size // sizes.steps)


def _is_sum(node: Node) -> bool:
    """Tell whether a node adds floating-point values of equal sizes, or a constant over time."""
    return type(node.op) is Add and node.input_types[0].dtype.is_float


def _joined(parts: list[Tensor], value: Value) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, value.type.time_axis or 0)
