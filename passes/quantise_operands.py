"""Puts signed quantisers, neurons to come, in front of weights and products that read no events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.calibrate import Histogram, observe
from spikec.calibrate.two_sided import two_sided_step
from spikec.errors import UsageError
from spikec.ir import Array, Editor, Value, ops
from spikec.pipeline import Approximately, Context, Pass, Promise, check_option
from spikec.pipeline.operands import Operand, dense_operands
from spikec.pipeline.roles import PRODUCTS


@dataclass(frozen=True)
class QuantiseOperands(Pass):
    """z read by weights or by a product of two values  ->  QuantReLU(z; step s, -N..N levels).

    Where z comes from a function (LayerNorm, GELU, softmax) or from weights; not where it is made
    of events alone, nor for the first weights, which read the input.  Step per channel, by least
    squares on calibration data.

    ::

        %n = LayerNorm(%x)            ->      %n = LayerNorm(%x)
        %y = Linear(%n)                       %n_sent = QuantReLU(%n; levels=127, low=-127)
                                              %y = Linear(%n_sent)
    """

    levels: int = 127
    whole: bool = False
    """for whole numbers to come: operands of a product have one step in all channels, and chains
    of weights are left to quantise-between-weights"""

    name: ClassVar[str] = "quantise-operands"
    promise: ClassVar[Promise] = Approximately("operands of weights are rounded to levels")

    def __post_init__(self) -> None:
        check_option(f"{self.name}.levels", self.levels, 1, 2**22)

    def apply(self, edit: Editor, context: Context) -> None:
        found: dict[Value, list[Operand]] = {}
        for operand in dense_operands(edit.graph, self.whole):
            found.setdefault(operand.value, []).append(operand)
        if not found:
            return
        if context.calibration is None:
            raise UsageError(f"{self.name} needs calibration data", remedy="give calibration=data")
        axes = {value: operands[0].axis for value, operands in found.items()}
        seen = observe(edit.graph, context.calibration, axes)
        for value, operands in found.items():
            self._insert(edit, value, operands, seen[value])

    def _insert(self, edit: Editor, value: Value, operands: list[Operand], seen: Histogram) -> None:
        axis = operands[0].axis
        if self.whole and any(isinstance(o.reader.op, PRODUCTS) for o in operands):
            seen = seen.pooled()
        step = _wide(two_sided_step(seen, -self.levels, self.levels), axis)
        origin, readers = value.producer, [operand.reader for operand in operands]
        new = edit.add(
            ops.QuantReLU(Array(step, "float32"), self.levels, None, -self.levels),
            value,
            name=f"{origin.name}_sent",
            location=origin.location,
            sources=(origin,),
            before=next(node for node in edit.graph if node in readers),
        )
        for reader in readers:
            edit.rewire(reader, [new if v is value else v for v in reader.inputs])


def _wide(step: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    return step.reshape(-1, *(1,) * (-axis - 1)) if step.size > 1 else step
