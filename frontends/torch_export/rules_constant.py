"""Rules for results that depend on an operand's size but not on its content."""

from __future__ import annotations

from collections.abc import Callable

import torch

from spikec.frontends.torch_export.rule import Rule, Rules, shared
from spikec.frontends.torch_export.scope import Known, Operand, Scalar, Scope
from spikec.ir import ops

aten = torch.ops.aten


def filled(s: Scope, number: Scalar) -> Known:
    """Give a constant of the result's sizes, at each probed batch size."""
    number = s.number(number)
    shape, dtype = s.result.shape, s.result_dtype()
    sizes = [s.batch.size(size) for size in shape]
    probes = range(len(s.batch.probes))
    samples = [
        torch.full([int(size.values[i]) for size in sizes], number, dtype=dtype) for i in probes
    ]
    dims = s.result_dims()
    fixed = all(isinstance(dim, int) for dim in dims)
    return Known(tuple(samples[:1] if fixed else samples), dims)


def constant(number: Scalar) -> Rule:
    """Make a rule for one number everywhere."""

    def rule(s: Scope, *args: object, **kwargs: object) -> Known:
        return filled(s, number)

    return rule


def full_like(s: Scope, x: Operand, number: Scalar, **options: object) -> Known:
    """A number in the sizes of another tensor."""
    return filled(s, number)


def new_full(s: Scope, x: Operand, size: object, number: Scalar, **options: object) -> Known:
    """A number in sizes of one's own, with another tensor's element type."""
    return filled(s, number)


def fill_scalar(s: Scope, x: Operand, number: Scalar) -> Known:
    """All elements overwritten by a number."""
    return filled(s, number)


def fill_tensor(s: Scope, x: Operand, value: Operand) -> Operand:
    """All elements overwritten by one element."""
    return overwritten(s, value)


def copy(s: Scope, x: Operand, source: Operand, non_blocking: bool = False) -> Operand:
    """All elements overwritten by another tensor's."""
    return overwritten(s, source)


def overwritten(s: Scope, source: Operand) -> Operand:
    """Give a tensor in the sizes and the element type of what it is written over."""
    if isinstance(source, Known) and len(source.samples) == 1 and source.tensor.numel() == 1:
        return filled(s, source.tensor.item())
    value = s.cast(source, s.result_dtype())
    dims = s.result_dims()
    return value if s.dims(value) == dims else s.emit(ops.Expand(dims), value)


_ZEROS: Callable[..., Known] = constant(0)
RULES: Rules = {
    **shared(_ZEROS, aten.zeros_like.default, aten.new_zeros.default, aten.zero.default),
    # the content of an empty tensor is undefined, and written before it is read
    **shared(_ZEROS, aten.empty_like.default, aten.new_empty.default),
    **shared(constant(1), aten.ones_like.default, aten.new_ones.default),
    aten.full_like.default: full_like,
    aten.new_full.default: new_full,
    aten.fill.Scalar: fill_scalar,
    aten.fill.Tensor: fill_tensor,
    aten.copy.default: copy,
}
