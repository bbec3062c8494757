"""Ops of the IR with a state over time as operators of torch: ``torch.ops.spikec.integrate_fire``.

Each is one node of an exported or compiled program, whose arguments are the fields of the op:
arrays are tensors, so that they can be parameters that are learned; enums are their texts.  Shapes
come of a fake kernel, gradients of the runtime's own (``spikec.runtime.bptt``), whose numbers are
those that an imported graph gives.  Called eagerly, the runtime is used without a detour.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

import torch
from torch import Tensor

from spikec.ir import Array, Op, ops
from spikec.runtime.bptt.encode import ENCODERS
from spikec.runtime.bptt.network import SCANS, in_turn
from spikec.runtime.bptt.neurons import Setting
from spikec.runtime.gradient import Parameters
from spikec.runtime.surrogate import Triangle, surrogate_from

NAMESPACE = "spikec"
STEPS = "steps"
SURROGATE, DETACHED = "surrogate", "detached"
PLAIN = Triangle()
"""for ops that do not fire: it is never asked"""


@dataclass(frozen=True)
class Operator:
    """An op of the IR as an operator of torch."""

    kind: type[Op]
    run: Callable[[Any, Tensor, Setting, int], Tensor]
    """op, operand, setting, steps (0 where the operand holds them)"""
    gives_time: bool = False
    """whether the operand is still, and ``steps`` an argument"""
    fires: bool = False
    """whether it takes a surrogate"""
    smooth: bool = True
    """whether it has a derivative; without one, nothing flows back"""

    @property
    def name(self) -> str:
        """``IntegrateFire`` -> ``integrate_fire``."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.kind.__name__).lower()

    @property
    def steps_name(self) -> str:
        """Give the argument that tells the steps; an op may have a field ``steps`` of its own."""
        return f"all_{STEPS}" if any(f.name == STEPS for f in fields(self.kind)) else STEPS

    @property
    def arguments(self) -> dict[str, str]:
        """Give name and type of each argument behind the operand, as torch declares them."""
        hints = typing.get_type_hints(self.kind)
        found = {f.name: schema_type(hints[f.name]) for f in fields(self.kind)}
        if self.gives_time:
            found[self.steps_name] = "SymInt"
        if self.fires:
            found |= {SURROGATE: "str", DETACHED: "bool"}
        return found

    def values(self, op: Op) -> dict[str, Any]:
        """Give the arguments for an op; those that its arrays stand for are left out."""
        found: dict[str, Any] = {}
        for field in fields(self.kind):
            value = getattr(op, field.name)
            if isinstance(value, Enum):
                value = value.value
            found[field.name] = list(value) if isinstance(value, tuple) else value
        return {name: value for name, value in found.items() if not isinstance(value, Array)}

    def op_of(self, given: Mapping[str, Any], array: Callable[[Any], Array]) -> Op:
        """Give the op that arguments declare; ``array`` makes an array of a tensor argument."""
        hints = typing.get_type_hints(self.kind)
        values = {}
        for field in fields(self.kind):
            hint, value = _inner(hints[field.name]), given[field.name]
            if value is not None:
                value = array(value) if hint is Array else _plain(hint)(value)
            values[field.name] = value
        return self.kind(**values)


def schema_type(hint: Any) -> str:
    """Give a field's type in the words of a torch schema."""
    inner = _inner(hint)
    text = "str" if isinstance(inner, type) and issubclass(inner, Enum) else _SCHEMA[inner]
    return text if inner is hint else f"{text}?"


def _inner(hint: Any) -> Any:
    """Take off ``| None``."""
    if not isinstance(hint, types.UnionType):
        return hint
    (inner,) = (part for part in typing.get_args(hint) if part is not type(None))
    return inner


def _plain(hint: Any) -> Callable[[Any], Any]:
    return tuple if typing.get_origin(hint) is tuple else hint


_SCHEMA = {
    Array: "Tensor",
    int: "int",
    float: "float",
    bool: "bool",
    str: "str",
    tuple[int, ...]: "int[]",
}


# ---- how they run --------------------------------------------------------------------------------


def _scan(op: Op, x: Tensor, setting: Setting, steps: int) -> Tensor:
    return SCANS[type(op)](op, x, setting)


def _repeat(op: ops.Repeat, x: Tensor, setting: Setting, steps: int) -> Tensor:
    return x.expand(steps, *x.shape).contiguous()


def _impulse(op: ops.Impulse, x: Tensor, setting: Setting, steps: int) -> Tensor:
    on = min(op.steps, steps)
    part = x.expand(on, *x.shape) / op.steps
    return torch.cat([part, x.new_zeros(steps - on, *x.shape)])


def _cycle(op: ops.Cycle, x: Tensor, setting: Setting, steps: int) -> Tensor:
    return in_turn(op, x, steps).contiguous()


OPERATORS: Mapping[type[Op], Operator] = {
    one.kind: one
    for one in (
        Operator(ops.IntegrateFire, _scan, fires=True),
        *(Operator(kind, _scan) for kind in (ops.Accumulator, ops.MeanReadout, ops.PhaseScale)),
        Operator(ops.Repeat, _repeat, gives_time=True),
        Operator(ops.Impulse, _impulse, gives_time=True),
        Operator(ops.Cycle, _cycle, gives_time=True),
        *(Operator(kind, _scan, smooth=False) for kind in ENCODERS),
    )
}


# ---- what torch gets to know ---------------------------------------------------------------------


def _implementation(one: Operator) -> Callable[..., Tensor]:
    def run(x: Tensor, *given: Any) -> Tensor:
        y = _run(one, x, given)
        # torch wants results with memory of their own
        return y.clone() if y.data_ptr() == x.data_ptr() else y

    return run


def _run(one: Operator, x: Tensor, given: tuple[Any, ...]) -> Tensor:
    """Run an op whose arrays are given as tensors."""
    named = dict(zip(one.arguments, given, strict=True))
    known = Parameters()

    def held(tensor: Tensor) -> Array:
        stand_in = Array(0.0)
        known.put(stand_in, tensor.to(x.dtype))
        return stand_in

    op = one.op_of(named, held)
    surrogate = surrogate_from(named[SURROGATE]) if one.fires else PLAIN
    setting = Setting(known, surrogate, bool(named.get(DETACHED, False)))
    return one.run(op, x, setting, named.get(one.steps_name, 0) if one.gives_time else 0)


def _fake(one: Operator) -> Callable[..., Tensor]:
    def shape(x: Tensor, *given: Any) -> Tensor:
        if not one.gives_time:
            return torch.empty_like(x)
        named = dict(zip(one.arguments, given, strict=True))
        rest = list(x.shape)
        if one.kind is ops.Cycle:
            del rest[named["axis"]]
        return x.new_empty((named[one.steps_name], *rest))

    return shape


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, *given = inputs
    tensors = [value for value in given if isinstance(value, Tensor)]
    ctx.save_for_backward(x, *tensors)
    ctx.rest = [None if isinstance(value, Tensor) else (value,) for value in given]


def _backward(one: Operator) -> Callable[..., Any]:
    """Go through the steps again, under torch's autograd."""

    def run(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        if not one.smooth:
            return (None,) * (1 + len(context.rest))
        saved = iter(context.saved_tensors)
        x = next(saved).detach().requires_grad_()
        given = [
            next(saved).detach().requires_grad_() if rest is None else rest[0]
            for rest in context.rest
        ]
        with torch.enable_grad():
            y = _run(one, x, tuple(given))
        wanted = [x, *(value for value in given if isinstance(value, Tensor))]
        found = iter(torch.autograd.grad(y, wanted, gradient, allow_unused=True))
        by_x = next(found)
        return by_x, *(next(found) if isinstance(v, Tensor) else None for v in given)

    return run


def _define(one: Operator) -> Callable[..., Tensor]:
    arguments = ", ".join(f"{kind} {name}" for name, kind in one.arguments.items())
    schema = f"(Tensor x{', ' if arguments else ''}{arguments}) -> Tensor"
    made = torch.library.custom_op(
        f"{NAMESPACE}::{one.name}", _implementation(one), mutates_args=(), schema=schema
    )
    made.register_fake(_fake(one))
    made.register_autograd(_backward(one), setup_context=_setup)
    return made


_DEFINED = {kind: _define(one) for kind, one in OPERATORS.items()}


class Call:
    """An op, ready to be applied: what of its arguments never changes is worked out once."""

    def __init__(self, op: Op) -> None:
        self.op = op
        self.operator = OPERATORS[type(op)]
        self.arrays = tuple(op.arrays)
        self.fixed = self.operator.values(op)
        self.order = tuple(self.operator.arguments)
        self.defined = _DEFINED[type(op)]

    def __reduce__(self) -> tuple[type[Call], tuple[Op]]:
        """Let modules be copied and pickled: all but the op is made anew."""
        return Call, (self.op,)

    def __call__(
        self, x: Tensor, tensors: Mapping[str, Tensor] | None = None, **others: object
    ) -> Tensor:
        """Apply the op: ``tensors`` by field take the place of its arrays.

        ``others`` are ``steps`` where it gives them, ``surrogate`` and ``detached`` where it fires.
        """
        known = {**self.fixed, **(tensors or {}), **others}
        given = tuple([known[name] for name in self.order])
        if torch.compiler.is_compiling():
            return self.defined(x, *given)
        return _run(self.operator, x, given)
