"""Reductions, selections and running sums."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from spikec.frontends.onnx_graph.call import Call
from spikec.frontends.onnx_graph.entries import Entry
from spikec.frontends.onnx_graph.fold_numbers import reduced_axes
from spikec.frontends.onnx_graph.rule import Rules, always
from spikec.ir.graph import Value
from spikec.ir.op import Op
from spikec.ir.ops import (
    Abs,
    Add,
    ArgMax,
    ArgMin,
    CumSum,
    Exp,
    Log,
    Mul,
    ReduceMax,
    ReduceMean,
    ReduceMin,
    ReduceProd,
    ReduceSum,
    Reshape,
    Sqrt,
    Sub,
    TopK,
)

Reduce = Callable[[tuple[int, ...], bool], Op]
Step = Callable[[Call, Value], Value]


def _same(call: Call, x: Value) -> Value:
    return x


def reduction(make: Reduce, since: int = 18, before: Step = _same, after: Step = _same) -> Rules:
    """Rule for a reduction; ``since`` is the opset in which axes became an operand."""

    def rule(call: Call) -> Entry:
        x = before(call, call.value(0))
        axes = _negative(call, x, since)
        if axes:
            x = call.emit(make(axes, bool(call.integer("keepdims", 1))), x)
        return after(call, x)

    return always(rule)


def _negative(call: Call, x: Value, since: int) -> tuple[int, ...]:
    return tuple(axis - x.type.rank for axis in reduced_axes(call, x.type.rank, since))


def log_sum_exp(call: Call) -> Entry:
    """ReduceLogSumExp, with the maximum taken out so that nothing overflows."""
    x = call.value(0)
    axes, keep = _negative(call, x, 18), bool(call.integer("keepdims", 1))
    if not axes:
        return x
    top = call.emit(ReduceMax(axes, True), x)
    total = call.emit(ReduceSum(axes, True), call.emit(Exp(), call.emit(Sub(), x, top)))
    y = call.emit(Add(), call.emit(Log(), total), top)
    if keep:
        return y
    gone = {axis + x.type.rank for axis in axes}
    kept = tuple(dim for axis, dim in enumerate(y.type.dims) if axis not in gone)
    return call.emit(Reshape(kept), y)


def _squared(call: Call, x: Value) -> Value:
    return call.emit(Mul(), x, x)


def _absolute(call: Call, x: Value) -> Value:
    return call.emit(Abs(), x)


def _root(call: Call, x: Value) -> Value:
    return call.emit(Sqrt(), x)


def _logarithm(call: Call, x: Value) -> Value:
    return call.emit(Log(), x)


def _arg(make: Callable[[int, bool, bool], Op]) -> Rules:
    def rule(call: Call) -> Entry:
        x = call.value(0)
        axis = call.axis(x.type.rank, 0) - x.type.rank
        keep, last = call.integer("keepdims", 1), call.integer("select_last_index", 0)
        return call.emit(make(axis, bool(keep), bool(last)), x)

    return always(rule)


def top_k_by_attribute(call: Call) -> tuple[Entry, ...]:
    """TopK until opset 9: k is an attribute."""
    return _top_k(call, call.integer("k"))


def top_k(call: Call) -> tuple[Entry, ...]:
    """TopK from opset 10: k is an operand."""
    return _top_k(call, int(call.scalar(1, "k")))


def _top_k(call: Call, k: int) -> tuple[Entry, ...]:
    x = call.value(0)
    axis = call.axis(x.type.rank, -1) - x.type.rank
    return call.emit_all(TopK(k, axis, bool(call.integer("largest", 1))), x)


def cumulative_sum(call: Call) -> Entry:
    """CumSum."""
    x = call.value(0)
    axis = call.front(int(call.scalar(1, "axis")), x.type.rank) - x.type.rank
    exclusive, reverse = call.integer("exclusive", 0), call.integer("reverse", 0)
    return call.emit(CumSum(axis, bool(exclusive), bool(reverse)), x)


def non_zero(call: Call) -> Entry:
    """NonZero of data: the result's size is unknown."""
    call.refuse("the size of its result depends on data", "compute masks instead of indices")


RULES: Mapping[str, Rules] = {
    "ArgMax": _arg(ArgMax),
    "ArgMin": _arg(ArgMin),
    "CumSum": always(cumulative_sum),
    "NonZero": always(non_zero),
    "ReduceL1": reduction(ReduceSum, before=_absolute),
    "ReduceL2": reduction(ReduceSum, before=_squared, after=_root),
    "ReduceLogSum": reduction(ReduceSum, after=_logarithm),
    "ReduceLogSumExp": always(log_sum_exp),
    "ReduceMax": reduction(ReduceMax),
    "ReduceMean": reduction(ReduceMean),
    "ReduceMin": reduction(ReduceMin),
    "ReduceProd": reduction(ReduceProd),
    "ReduceSum": reduction(ReduceSum, since=13),
    "ReduceSumSquare": reduction(ReduceSum, before=_squared),
    "TopK": {1: top_k_by_attribute, 10: top_k},
}
