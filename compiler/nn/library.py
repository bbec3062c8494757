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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikec.ir import Array, Op, ops
from spikec.ir.ops.window import Pairs
from spikec.nn import kernels
from spikec.nn.kernels import Shape, Tensors
from spikec.runtime.bptt.encode import ENCODERS
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
    run: Callable[[Any, Tensors, Setting, int], Tensors]
    """op, operands, setting, steps (0 where the operand holds them)"""
    shapes: Callable[[list[Shape], Mapping[str, Any], Any], list[Shape]] = kernels.same
    """shapes of the operands, arguments, steps: shapes of the results"""
    operands: tuple[str, ...] = ("x",)
    """names; what may be left out ends in ``?``"""
    results: int = 1
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
    def schema(self) -> str:
        """Declare it as torch wants it."""
        tensors = (f"Tensor? {n[:-1]}" if n.endswith("?") else f"Tensor {n}" for n in self.operands)
        told = ", ".join([*tensors, *(f"{kind} {name}" for name, kind in self.arguments.items())])
        results = ", ".join(["Tensor"] * self.results)
        return f"({told}) -> {results if self.results == 1 else f'({results})'}"

    @property
    def arguments(self) -> dict[str, str]:
        """Give name and type of each argument behind the operands, as torch declares them."""
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
            found[field.name] = _flat(value) if isinstance(value, tuple) else value
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
    if hint == Pairs:
        return lambda flat: tuple(zip(flat[::2], flat[1::2], strict=True))
    return tuple if typing.get_origin(hint) is tuple else hint


def _flat(value: tuple[Any, ...]) -> list[int]:
    return [n for part in value for n in (part if isinstance(part, tuple) else (part,))]


_SCHEMA = {
    Array: "Tensor",
    int: "int",
    float: "float",
    bool: "bool",
    str: "str",
    tuple[int, ...]: "int[]",
    Pairs: "int[]",
}


OPERATORS: Mapping[type[Op], Operator] = {
    one.kind: one
    for one in (
        Operator(ops.IntegrateFire, kernels.scan, fires=True),
        *(
            Operator(kind, kernels.scan)
            for kind in (ops.Accumulator, ops.MeanReadout, ops.PhaseScale, ops.StepScale)
        ),
        Operator(ops.Repeat, kernels.repeat, kernels.timed, gives_time=True),
        Operator(ops.Impulse, kernels.impulse, kernels.timed, gives_time=True),
        Operator(ops.Cycle, kernels.cycle, kernels.cycled, gives_time=True),
        *(Operator(kind, kernels.scan, smooth=False) for kind in ENCODERS),
        Operator(ops.Haar, kernels.whole, kernels.halved, results=2),
        Operator(ops.HaarInverse, kernels.whole, kernels.doubled, ("low", "high")),
        Operator(ops.AndOverTime, kernels.whole, kernels.reduced),
        Operator(ops.TimeMix, kernels.whole, kernels.mixed),
        Operator(ops.DeformConv, kernels.deformed, kernels.convolved, ("x", "offset", "mask?")),
    )
}


# ---- what torch gets to know ---------------------------------------------------------------------


def _implementation(one: Operator) -> Callable[..., Any]:
    def run(*given: Any) -> Any:
        found = _run(one, given)
        # torch wants results with memory of their own
        taken = {x.data_ptr() for x in given if isinstance(x, Tensor)}
        return _told(one, [y.clone() if y.data_ptr() in taken else y for y in found])

    return run


def _told(one: Operator, results: Sequence[Tensor]) -> Any:
    """Give one result by itself, several as a tuple."""
    return tuple(results) if one.results > 1 else results[0]


def _run(one: Operator, given: tuple[Any, ...]) -> Tensors:
    """Run an op whose arrays are given as tensors."""
    count = len(one.operands)
    operands = tuple(x for x in given[:count] if x is not None)
    named = dict(zip(one.arguments, given[count:], strict=True))
    known = Parameters()

    def held(tensor: Tensor) -> Array:
        stand_in = Array(np.broadcast_to(np.float32(0), tensor.shape))
        known.put(stand_in, tensor.to(operands[0].dtype))
        return stand_in

    op = one.op_of(named, held)
    surrogate = surrogate_from(named[SURROGATE]) if one.fires else PLAIN
    setting = Setting(known, surrogate, bool(named.get(DETACHED, False)))
    return one.run(op, operands, setting, named.get(one.steps_name, 0) if one.gives_time else 0)


def _fake(one: Operator) -> Callable[..., Any]:
    def shape(*given: Any) -> Any:
        count = len(one.operands)
        named = dict(zip(one.arguments, given[count:], strict=True))
        shapes = [list(x.shape) for x in given[:count] if x is not None]
        found = one.shapes(shapes, named, named.get(one.steps_name))
        return _told(one, [given[0].new_empty(tuple(sizes)) for sizes in found])

    return shape


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    ctx.save_for_backward(*(value for value in inputs if isinstance(value, Tensor)))
    ctx.rest = [None if isinstance(value, Tensor) else (value,) for value in inputs]


def _backward(one: Operator) -> Callable[..., Any]:
    """Go through the op again, under torch's autograd."""

    def run(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        if not one.smooth:
            return (None,) * len(context.rest)
        saved = iter(context.saved_tensors)
        given = [
            next(saved).detach().requires_grad_() if rest is None else rest[0]
            for rest in context.rest
        ]
        with torch.enable_grad():
            results = _run(one, tuple(given))
        wanted = [value for value in given if isinstance(value, Tensor)]
        found = iter(torch.autograd.grad(results, wanted, gradients, allow_unused=True))
        return tuple(next(found) if isinstance(value, Tensor) else None for value in given)

    return run


def _define(one: Operator) -> Callable[..., Any]:
    made = torch.library.custom_op(
        f"{NAMESPACE}::{one.name}", _implementation(one), mutates_args=(), schema=one.schema
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
        self,
        x: Tensor,
        tensors: Mapping[str, Tensor] | None = None,
        others: tuple[Tensor | None, ...] = (),
        **more: object,
    ) -> Tensor:
        """Apply the op, and give its first result; see :meth:`results`."""
        return self.results(x, tensors, others, **more)[0]

    def results(
        self,
        x: Tensor,
        tensors: Mapping[str, Tensor] | None = None,
        others: tuple[Tensor | None, ...] = (),
        **more: object,
    ) -> Tensors:
        """Apply the op: ``tensors`` by field take the place of its arrays.

        ``others`` are its further operands; ``more`` are ``steps`` where it gives them,
        ``surrogate`` and ``detached`` where it fires.
        """
        known = {**self.fixed, **(tensors or {}), **more}
        given = (x, *others, *[known[name] for name in self.order])
        if not torch.compiler.is_compiling():
            return _run(self.operator, given)
        found = self.defined(*given)
        return tuple(found) if self.operator.results > 1 else (found,)
