"""Sets thresholds, one layer after another, by the currents that spikes of earlier layers cause."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.calibrate import (
    Histogram,
    PackedArrays,
    Range,
    Share,
    alive_scale,
    blocks,
    check_finite,
    chosen,
    counts_of,
    ranges_of,
)
from spikec.errors import Problem, UnsupportedModel, UsageError
from spikec.ir import Array, Editor, Graph, Node, Value, ops
from spikec.ir.op import Family
from spikec.ir.ops import IntegrateFire
from spikec.ir.ops.neuron_rules import Negative
from spikec.pipeline import Approximately, Context, Inputs, Pass, Promise, check_option
from spikec.pipeline.channels import channel_axis
from spikec.pipeline.known import Known, answer

Numbers = NDArray[Any]
Vector = NDArray[np.float64]
BLOCK = 32
"""samples that are simulated together, over all steps"""
HELD_BYTES = 1 << 29
"""currents of one layer up to this size are computed once; larger ones anew in each sweep"""
MOST_ROWS = 1 << 13
"""histograms that are filled in one sweep"""


class Over(Enum):
    """What a percentile is taken over."""

    STEP = "step"
    """each step alone; the largest of them counts"""
    RUN = "run"
    """all steps together"""


@dataclass(frozen=True)
class BalanceThresholds(Pass):
    """θ_l = alpha · percentile_p of z_l[t] = W_l s_{l-1}[t] + b_l, for one layer l after another.

    z_l[t] is the current of one step, not the potential, over all samples and neurons; the layers
    before l spike with the thresholds that they have got already (SpikeNorm; DCT-SNN with p=99.9).
    p = 100 takes the largest current.  With m levels per step θ is an m-th of that.  v(0) keeps
    its share of θ, and θ is at most h where the activation was Clip(0, h).

    Neurons with negative events keep their thresholds: the encoder of DCT-SNN has its own.

    A layer that no positive current reaches keeps the threshold that it had; so do not its silent
    channels, where each channel has its own: they take the mean of the others.

    Statistics are ranges and integer histograms of fixed samples: the order of the samples and
    the blocks in which they run change nothing.
    """

    p: float = 99.9
    alpha: float = 1.0
    """factor on all thresholds: below 1 more spikes, and more of them too early"""
    per: Share = Share.LAYER
    over: Over = Over.STEP
    samples: int = 512
    """calibration samples used, chosen by their content"""
    steps: int | None = None
    """time steps simulated; none: those of the program"""

    name: ClassVar[str] = "balance-thresholds"
    promise: ClassVar[Promise] = Approximately("neurons fire at other thresholds")

    def __post_init__(self) -> None:
        check_option(f"{self.name}.p", self.p, 1, 100)
        check_option(f"{self.name}.alpha", self.alpha, 1e-3, 1e3)
        check_option(f"{self.name}.samples", self.samples, 1, 10**9)
        if self.steps is not None:
            check_option(f"{self.name}.steps", self.steps, 1, 100_000)

    def apply(self, edit: Editor, context: Context) -> None:
        if not any(node.op.family is Family.NEURON for node in edit.graph):
            return
        _check(edit.graph)
        if context.calibration is None or context.reference is None:
            raise UsageError(
                f"{self.name} needs calibration data and the network as it was",
                remedy="give calibration=data, and put keep-reference in front of the thresholds",
            )
        samples = chosen(context.calibration, self.samples)
        walk = _Walk(self, edit, samples, self.steps or context.steps)
        found = {}
        for node in edit.graph.nodes:
            if isinstance(node.op, IntegrateFire) and node.op.negative is Negative.NONE:
                bound = _bound(context.reference, node)
                found[node.name] = walk.balance(node, node.op, bound).tolist()
        context.record[self.name] = {
            "samples": len(next(iter(samples.values()))),
            "steps": walk.steps,
            "thresholds": found,
        }


def _check(graph: Graph) -> None:
    """Refuse other neurons, which would stay what they are."""
    others = [
        node
        for node in graph
        if node.op.family is Family.NEURON
        and not isinstance(node.op, IntegrateFire | ops.Accumulator)
    ]
    if others:
        raise UnsupportedModel(
            "only integrate-and-fire neurons are balanced",
            remedy="put spike-rate in front of balance-thresholds",
            problems=[Problem(f"a neuron {type(n.op).__name__}", n.place) for n in others],
        )


def _bound(reference: Graph, node: Node) -> float | None:
    op = reference[node.name].op if node.name in reference else None
    return op.high if isinstance(op, ops.Clip) else None


class _Walk:
    """Simulates layer after layer; of the layers behind, only their spikes are kept."""

    def __init__(
        self, options: BalanceThresholds, edit: Editor, samples: Inputs, steps: int
    ) -> None:
        self.options = options
        self.edit = edit
        self.steps = steps
        self.blocks = [Known(edit.graph, block, steps) for block in blocks(samples, BLOCK)]
        for known in self.blocks:
            known.arrays = PackedArrays(known.arrays)

    def balance(self, node: Node, op: IntegrateFire, bound: float | None) -> Vector:
        """Set the threshold of a layer, and let it fire; give its threshold per channel."""
        current = node.inputs[0]
        axis = channel_axis(current)
        layer = _Currents(self.blocks, current)
        theta = self._threshold(op, layer, axis)
        if bound is not None:
            theta = np.minimum(theta, bound)
        balanced = _with_threshold(op, theta, axis)
        if balanced != op:
            self.edit.change_op(node, balanced)
        for known, z in zip(self.blocks, layer.arrays(), strict=True):
            _keep_spikes(known, node, balanced, answer(balanced, current.type, z))
        return theta

    def _threshold(self, op: IntegrateFire, layer: _Currents, axis: int) -> Vector:
        reached = layer.statistic(self.options, axis, self.steps) * self.options.alpha / op.levels
        if not (reached > 0).any():
            return op.threshold.data.astype(np.float64).reshape(-1)
        return alive_scale(reached)


class _Currents:
    """The currents of one layer over all steps, block after block of samples."""

    def __init__(self, blocks: list[Known], value: Value) -> None:
        self.blocks = blocks
        self.value = value
        self.held: list[Numbers] | None = None
        first = blocks[0].value(value)
        if first.nbytes * len(blocks) <= HELD_BYTES:
            self.held = [first, *(known.value(value) for known in blocks[1:])]

    def arrays(self) -> Iterator[Numbers]:
        """Give the array of each block."""
        yield from self.held or (known.value(self.value) for known in self.blocks)

    def statistic(self, options: BalanceThresholds, axis: int, steps: int) -> Vector:
        """Give the percentile of each channel, or of the layer (one number)."""
        single = options.over is Over.RUN
        channel = axis if options.per is Share.CHANNEL else None
        channels = 1 if channel is None else next(self.arrays()).shape[channel]
        span = steps if single else max(1, MOST_ROWS // channels)
        found = []
        for start in range(0, steps, span):
            rows = _Rows(start, start + span, channel, single)
            ranges = ranges_of(self._parts(rows))
            check_finite(ranges)
            found.append(self._of_rows(rows, ranges, options.p).reshape(-1, channels))
        return np.asarray(np.concatenate(found).max(axis=0))

    def _of_rows(self, rows: _Rows, ranges: dict[Value, Range], p: float) -> Vector:
        if p == 100:
            return ranges[self.value].high
        seen: Histogram = counts_of(self._parts(rows), ranges)[self.value]
        return seen.quantile(p / 100)

    def _parts(self, rows: _Rows) -> Iterator[dict[Value, Numbers]]:
        return ({self.value: rows.of(z)} for z in self.arrays())


@dataclass(frozen=True)
class _Rows:
    """Which elements of a current [T, batch, ...] share a statistic."""

    start: int
    stop: int
    channel: int | None
    single: bool
    """whether all steps share it"""

    def of(self, z: Numbers) -> Numbers:
        """Give [steps · channels, elements]; one step or channel where they are taken together."""
        part = z[self.start : self.stop]
        steps = 1 if self.single else len(part)
        if self.channel is None:
            return part.reshape(steps, -1)
        count = part.shape[self.channel]
        if self.single:
            return np.moveaxis(part, self.channel, 0).reshape(count, -1)
        return np.moveaxis(part, self.channel, 1).reshape(steps * count, -1)


def _with_threshold(op: IntegrateFire, theta: Vector, axis: int) -> IntegrateFire:
    """Give the neurons another threshold, and v(0) the same share of it."""
    wide = theta.reshape(-1, *(1,) * (-axis - 1)) if theta.size > 1 else theta
    threshold = Array(wide, "float32")
    if threshold == op.threshold:
        return op
    share = 0.0 if op.v0 is None else np.mean(op.v0.data / op.threshold.data, dtype=np.float64)
    return replace(op, threshold=threshold, v0=Array(share * wide, "float32"))


def _keep_spikes(known: Known, node: Node, op: IntegrateFire, train: Numbers) -> None:
    value = node.outputs[0]
    known.keep(value, train)
    binary = op.levels == 1 and op.negative is Negative.NONE and op.amplitude is None
    if binary and isinstance(known.arrays, PackedArrays):
        known.arrays.pack(value, op.threshold.astype(train.dtype))
