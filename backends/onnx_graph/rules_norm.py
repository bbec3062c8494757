"""Normalisations and reductions."""

from __future__ import annotations

from collections.abc import Mapping

from spikec.backends.onnx_graph.rule import Call, Rule, open_shape
from spikec.ir import Array, ops
from spikec.ir.ops.affine import per_channel


def batch_norm(op: ops.BatchNorm, call: Call) -> str:
    """Multiply and shift per channel."""
    gain, shift = (
        call.array(per_channel(Array(vector), op.axis, call.kind)) for vector in op.gain_and_shift()
    )
    return call.scope("Add", call.scope("Mul", call.x, gain), shift)


def layer_norm(op: ops.LayerNorm, call: Call) -> str:
    """Standardise the last axes."""
    y = _standardised(call, call.x, tuple(range(-op.axes, 0)), op.eps)
    return _affine(call, y, op.weight, op.bias)


def rms_norm(op: ops.RMSNorm, call: Call) -> str:
    """X / √(mean x² + eps)."""
    s, axes = call.scope, call.scope.ints(*range(-op.axes, 0))
    power = s("ReduceMean", s("Mul", call.x, call.x), axes, keepdims=1)
    root = s("Sqrt", s("Add", power, call.array(op.eps)))
    return _affine(call, s("Div", call.x, root), op.weight, None)


def group_norm(op: ops.GroupNorm, call: Call) -> str:
    """Standardise blocks of channels."""
    dims = call.inputs[0].dims
    blocks = call.scope.ints(
        *open_shape(dims[: op.axis]), op.groups, _size(dims[op.axis :]) // op.groups
    )
    y = _standardised(call, call.scope("Reshape", call.x, blocks), (-1,), op.eps)
    weight, bias = (
        None if v is None else Array(per_channel(v, op.axis, call.kind))
        for v in (op.weight, op.bias)
    )
    return _affine(call, call.reshaped(y, dims), weight, bias)


def local_response(op: ops.LocalResponseNorm, call: Call) -> str:
    """Divide by a power of the sum of squares of neighbours."""
    s, axis = call.scope, op.axis
    size = call.inputs[0].dims[axis]
    assert isinstance(size, int)
    widths = s.ints((op.size - 1) // 2, op.size // 2)
    wide = s("Pad", s("Mul", call.x, call.x), widths, call.array(0), s.ints(axis))
    parts = [s("Slice", wide, s.ints(i), s.ints(i + size), s.ints(axis)) for i in range(op.size)]
    total = parts[0]
    for part in parts[1:]:
        total = s("Add", total, part)
    scale = s("Add", s("Mul", total, call.array(op.alpha / op.size)), call.array(op.k))
    return s("Div", call.x, s("Pow", scale, call.array(op.beta)))


def reduction(operator: str) -> Rule:
    """Write a reduction over axes."""

    def rule(op: ops.ReduceSum, call: Call) -> str:
        axes = call.scope.ints(*op.axes)
        return call.scope(operator, call.x, axes, keepdims=int(op.keepdims), noop_with_empty_axes=1)

    return rule


def arg_extreme(operator: str) -> Rule:
    """Write an ArgMax or ArgMin."""

    def rule(op: ops.ArgMax, call: Call) -> str:
        return call.scope(
            operator,
            call.x,
            axis=op.axis,
            keepdims=int(op.keepdims),
            select_last_index=int(op.last),
        )

    return rule


def top_k(op: ops.TopK, call: Call) -> tuple[str, ...]:
    """Write a TopK."""
    k = call.scope.ints(op.k)
    return call.scope.several(
        "TopK", call.x, k, results=2, axis=op.axis, largest=int(op.largest), sorted=1
    )


def cum_sum(op: ops.CumSum, call: Call) -> str:
    """Write a CumSum."""
    axis = call.scope.ints(op.axis)
    return call.scope("CumSum", call.x, axis, exclusive=int(op.exclusive), reverse=int(op.reverse))


def _size(dims: tuple[object, ...]) -> int:
    count = 1
    for dim in dims:
        assert isinstance(dim, int)
        count *= dim
    return count


def _standardised(call: Call, x: str, axes: tuple[int, ...], eps: float) -> str:
    s, which = call.scope, call.scope.ints(*axes)
    centred = s("Sub", x, s("ReduceMean", x, which, keepdims=1))
    variance = s("ReduceMean", s("Mul", centred, centred), which, keepdims=1)
    return s("Div", centred, s("Sqrt", s("Add", variance, call.array(eps))))


def _affine(call: Call, x: str, weight: Array | None, bias: Array | None) -> str:
    y = x if weight is None else call.scope("Mul", x, call.array(weight))
    return y if bias is None else call.scope("Add", y, call.array(bias))


RULES: Mapping[type[ops.Op], Rule] = {
    ops.BatchNorm: batch_norm,
    ops.LayerNorm: layer_norm,
    ops.RMSNorm: rms_norm,
    ops.GroupNorm: group_norm,
    ops.LocalResponseNorm: local_response,
    ops.ReduceSum: reduction("ReduceSum"),
    ops.ReduceMean: reduction("ReduceMean"),
    ops.ReduceMax: reduction("ReduceMax"),
    ops.ReduceMin: reduction("ReduceMin"),
    ops.ReduceProd: reduction("ReduceProd"),
    ops.ArgMax: arg_extreme("ArgMax"),
    ops.ArgMin: arg_extreme("ArgMin"),
    ops.TopK: top_k,
    ops.CumSum: cum_sum,
}
