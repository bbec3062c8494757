"""Rules for the operators of ``spikec.nn``: each is an op of the IR already."""

from __future__ import annotations

from typing import Any

import torch

from spikec.frontends.common import Refused
from spikec.frontends.torch_export.rule import Rule, Rules
from spikec.frontends.torch_export.scope import Operand, Scope
from spikec.ir import Stage, SymbolicDim, Value
from spikec.ir.stages import EVENTFUL
from spikec.nn.library import NAMESPACE, OPERATORS, Operator


def spiking(one: Operator) -> Rule:
    """Make the rule for an operator: its arguments are the fields of the op."""
    count = len(one.operands)

    def rule(s: Scope, *given: Any) -> Value | tuple[Value, ...]:
        operands: list[Operand] = [x for x in given[:count] if x is not None]
        named = dict(zip(one.arguments, given[count:], strict=True))
        if one.gives_time and not isinstance(named[one.steps_name], SymbolicDim):
            raise Refused(
                f"makes {named[one.steps_name]} steps, whatever a program is run with",
                expected="a number of steps that varies",
                remedy="pass the module itself; or export it within spikec.nn.steps(model, n), "
                "n the size of an argument called spikec_clock whose axis 0 is Dim.DYNAMIC",
            )
        op = one.op_of(named, lambda tensor: s.array(tensor, "a parameter"))
        results = s.emit_all(op, *operands)
        if op.family in EVENTFUL or not results[0].type.is_static:
            s.edit.stage(Stage.SPIKING)
        return results if one.results > 1 else results[0]

    return rule


RULES: Rules = {
    getattr(getattr(torch.ops, NAMESPACE), one.name).default: spiking(one)
    for one in OPERATORS.values()
}
