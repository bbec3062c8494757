"""Gives quantisers steps of few binary digits, so that multiples of them are exact."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.ir import Array, Editor, Stage, ops
from spikec.pipeline import Approximately, Context, Pass, Promise

DIGITS = 24
"""of a float32"""


@dataclass(frozen=True)
class ShortSteps(Pass):
    """QuantReLU(z; step s, N levels)  ->  the same with s of so few digits that N s has no more.

    The neurons of spike-few hold N s; were it rounded, its levels would not be those of the
    quantiser.  With N < 2^K, s keeps 24 - K digits, and moves by no more than 2^(K - 24) of itself.
    """

    name: ClassVar[str] = "short-steps"
    promise: ClassVar[Promise] = Approximately("steps are rounded to fewer digits")

    def apply(self, edit: Editor, context: Context) -> None:
        if edit.graph.stage is not Stage.ANALOG:
            return
        for node in edit.graph.nodes:
            if isinstance(node.op, ops.QuantReLU):
                old = node.op.step.data
                short = _rounded(old, DIGITS - node.op.levels.bit_length())
                if (short != old).any():
                    edit.change_op(node, replace(node.op, step=Array(short, "float32")))


def _rounded(x: NDArray[Any], digits: int) -> NDArray[np.float64]:
    """Round to so many binary digits, halves to the even one."""
    mantissa, exponent = np.frexp(x.astype(np.float64))
    rounded: NDArray[np.float64] = np.ldexp(np.round(np.ldexp(mantissa, digits)), exponent - digits)
    return rounded
