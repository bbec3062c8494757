"""Puts quantisers between weights that have no activation in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from spikec.calibrate import observe
from spikec.calibrate.two_sided import two_sided_step
from spikec.errors import UsageError
from spikec.ir import Array, Editor, Value, ops
from spikec.pipeline import Approximately, Context, Pass, Promise, check_option
from spikec.pipeline.chains import Chains, Extent, first_of
from spikec.pipeline.channels import channel_axis
from spikec.pipeline.roles import is_site


@dataclass(frozen=True)
class QuantiseBetweenWeights(Pass):
    """z read by weights, and itself a current  ->  QuantReLU(z; step s, -N..N levels) in between.

    Wanted where whole numbers would grow too large to be exact: in chains of linear layers, behind
    wide means, and where several readers would each need the weights in units of their own.  Step
    per channel, by least squares on calibration data; what is never negative gets 0..N.

    ::

        %c = Conv(%x)                 ->      %c = Conv(%x)
        %d = Conv(%c)                         %c_quantised = QuantReLU(%c; low=-15)
                                              %d = Conv(%c_quantised)
    """

    levels: int = 15
    bits: int = 8
    """bits of the weights to come"""

    name: ClassVar[str] = "quantise-between-weights"
    promise: ClassVar[Promise] = Approximately("currents between weights are rounded to levels")

    def __post_init__(self) -> None:
        check_option(f"{self.name}.levels", self.levels, 1, 2**22)
        check_option(f"{self.name}.bits", self.bits, 2, 16)

    def apply(self, edit: Editor, context: Context) -> None:
        if not any(map(is_site, edit.graph)):
            return
        chains = Chains(edit.graph, self.levels, self.bits)
        found = chains.find()
        if not found:
            return
        if context.calibration is None:
            raise UsageError(f"{self.name} needs calibration data", remedy="give calibration=data")
        axes = {value: channel_axis(value) for value in found}
        seen = observe(edit.graph, context.calibration, axes)
        for value, extent in found.items():
            low = self._low(extent)
            step = two_sided_step(seen[value], low, self.levels)
            wide = step.reshape(-1, *(1,) * (-axes[value] - 1))
            self._insert(edit, chains, value, Array(wide, "float32"), low)

    def _low(self, extent: Extent) -> int:
        return -self.levels if extent.signed else 0

    def _insert(self, edit: Editor, chains: Chains, value: Value, step: Array, low: int) -> None:
        readers = [node for node in value.users if not chains.reads_as_it_is(node)]
        new = edit.add(
            ops.QuantReLU(step, self.levels, None, low),
            value,
            name=f"{value.producer.name}_quantised",
            location=value.producer.location,
            sources=(value.producer,),
            before=first_of(edit.graph, readers),
        )
        for reader in readers:
            edit.rewire(reader, [new if v is value else v for v in reader.inputs])
