"""Starts to read the result when the layers in front of it have settled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.errors import UsageError
from spikec.ir import Editor, Node
from spikec.ir.ops import MeanReadout
from spikec.pipeline import Approximately, Context, Pass, Promise, check_option
from spikec.pipeline.bias import add_to_bias
from spikec.pipeline.channels import channel_axis
from spikec.pipeline.known import Known

Numbers = NDArray[Any]
Vector = NDArray[np.float64]
LEAST = 4
"""steps that are read at least"""


@dataclass(frozen=True)
class DelayReadout(Pass):
    """Logits (A(T) - A(t0)) / (T - t0), with A(t) the current that has come in until step t.

    In the first steps of a rate code deep layers are silent.  ``start`` is t0, or ``auto``: that of
    0 .. T - 4 with which the outputs come nearest to those of the analog network, in the mean
    square over calibration samples and after their means are aligned.  Then they are aligned:
    the bias of the outputs takes up what their mean is off.

    ::

        %r = MeanReadout(%x)          ->      %r = MeanReadout(%x; start=7)
    """

    start: str = "auto"
    """t0, or auto"""
    samples: int = 256
    """calibration samples used"""

    name: ClassVar[str] = "delay-readout"
    promise: ClassVar[Promise] = Approximately("the first steps are not read")

    def __post_init__(self) -> None:
        check_option(f"{self.name}.samples", self.samples, 1, 10**9)
        if self.start != "auto" and not self.start.isdecimal():
            raise UsageError(f"{self.name}.start = {self.start!r}", expected="auto, or 0 or more")

    def apply(self, edit: Editor, context: Context) -> None:
        done = context.record.setdefault(self.name, {})
        readouts = [node for node in edit.graph if isinstance(node.op, MeanReadout)]
        waiting = [node for node in readouts if node.name not in done]
        if not waiting:
            return
        latest = max(0, context.steps - LEAST)
        if self.start != "auto" and int(self.start) > latest:
            raise UsageError(
                f"{self.name}.start = {self.start} of {context.steps} steps",
                expected=f"at most {latest}: {LEAST} steps are read at least",
            )
        pair = self._networks(edit, context)
        for node in waiting:
            done[node.name] = self._delay(edit, node, pair, latest)

    def _networks(self, edit: Editor, context: Context) -> tuple[Known, Known]:
        if context.calibration is None or context.reference is None:
            raise UsageError(
                f"{self.name} needs calibration data and the analog network",
                remedy="give calibration=data, and put keep-reference in front of the thresholds",
            )
        inputs = {name: x[: self.samples] for name, x in context.calibration.items()}
        spiking = Known(edit.graph, inputs, context.steps)
        return spiking, Known(context.reference, inputs, context.steps)

    def _delay(self, edit: Editor, node: Node, pair: tuple[Known, Known], latest: int) -> int:
        ours, analog = pair
        current = node.inputs[0]
        twin = analog.graph[node.name.removesuffix("_readout")].outputs[0]
        axis = channel_axis(current)
        error = _Error(ours.value(current), analog.value(twin), axis)
        start = error.best(latest) if self.start == "auto" else int(self.start)
        edit.change_op(node, MeanReadout(start))
        add_to_bias(edit, current, -error.mean(start), axis)
        return start


class _Error:
    """What outputs are off by, for each step that reading may start behind."""

    def __init__(self, current: Numbers, wanted: Numbers, axis: int) -> None:
        steps = [_by_channel(x, axis) for x in current]
        self.sums = np.cumsum([np.zeros_like(steps[0]), *steps], axis=0)
        self.wanted = _by_channel(wanted, axis)

    def _of(self, start: int) -> Vector:
        """Give estimate minus goal, [rows, channels]."""
        read = self.sums[-1] - self.sums[start]
        return np.asarray(read / (len(self.sums) - 1 - start) - self.wanted)

    def mean(self, start: int) -> Vector:
        """Give the mean per channel."""
        return np.asarray(self._of(start).mean(axis=0))

    def best(self, latest: int) -> int:
        """Give the start with the least square error about the mean; the first among equals."""
        return int(np.argmin([self._of(start).var(axis=0).mean() for start in range(latest + 1)]))


def _by_channel(x: Numbers, axis: int) -> Vector:
    """Give [rows, channels] in double precision."""
    return np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis]).astype(np.float64)
