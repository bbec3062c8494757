"""Cases of ops that know no time: each before, between and behind neurons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.ir import Array, DType, Family, Graph, Op, Sizes, T, TensorType, Value, ops
from tests.conformance.case import Case, Draw, Place
from tests.conformance.draft import ONE, Draft
from tests.ir.ops.cases import Case as OpCase
from tests.ir.ops.cases import f32
from tests.ir.ops.every_case import FAMILIES

WHOLE = (Family.AFFINE, Family.POOL, Family.SHAPE, Family.MERGE, Family.REDUCE, Family.LOGIC)
"""families whose ops keep whole numbers whole, given whole weights"""
NOT_AT_ZERO = (ops.Log, ops.Reciprocal, ops.Div, ops.FloorMod, ops.Pow)
"""ops that get events and one half"""

THRESHOLDS: Mapping[type[Op], float] = {
    **dict.fromkeys((ops.Clip, ops.ArgMax, ops.Exp), 3),
    **dict.fromkeys((ops.ReduceMax, ops.TopK), 5),
    ops.ReduceSum: 9,
    ops.ReduceProd: 1,
}
"""of the neurons behind an op, where the usual ones would always or never fire"""
STARTS = (ops.Neg, ops.Softmax)
"""ops whose results are negative: the neurons behind them start from a positive potential"""

FINE = 8
GRID = ops.Quantise(Array(np.float32(1 / FINE)), -999, 999, ONE)
"""makes whole numbers, which chips want, of what the host computes: eighths"""


def _window(kind: type[Any], note: str, *size: int, **options: Any) -> OpCase:
    """Give a pool whose window is not the usual one."""
    whole: dict[str, Any] = {"kernel": (3, 2), "stride": (2, 1), "padding": ((0, 0),) * 2}
    op = kind(**{**whole, "dilation": (1, 1), **options})
    return OpCase(op, (f32(*size),), _no_truth, note=note)


def _conv(note: str, *size: int, **options: Any) -> OpCase:
    rng = np.random.default_rng(3)
    weight = Array(rng.normal(0, 1, (3, size[0], 3, 3)))
    given: dict[str, Any] = {"stride": (1, 1), "padding": ((0, 0),) * 2, "dilation": (1, 1)}
    return OpCase(
        ops.Conv(weight, None, **{**given, **options}), (f32(*size),), _no_truth, note=note
    )


def _no_truth(*_: Any) -> Any:
    raise NotImplementedError("PyTorch computes these cases nowhere")


BORDERS: tuple[OpCase, ...] = (
    _conv("uneven-padding", 2, 6, 5, padding=((0, 1), (2, 1))),
    _conv("stride-beyond-kernel", 2, 9, 8, stride=(4, 4)),
    _conv("dilated-padded", 2, 7, 7, dilation=(2, 2), padding=((2, 2), (2, 2))),
    *(
        case
        for kind in (ops.MaxPool, ops.AvgPool, ops.SumPool)
        for case in (
            _window(kind, "ceil-mode", 2, 6, 5, ceil_mode=True),
            _window(kind, "uneven-padding", 2, 6, 5, padding=((1, 0), (0, 1))),
            _window(kind, "dilated", 2, 7, 5, dilation=(2, 2)),
            _window(kind, "overlapping", 2, 6, 5, stride=(1, 1)),
        )
    ),
    _window(ops.AvgPool, "padding-left-out", 2, 6, 5, padding=((1, 1),) * 2, count_padding=False),
    OpCase(ops.AdaptiveAvgPool((3, 2)), (f32(2, 5, 4),), _no_truth, note="uneven"),
    *(
        OpCase(ops.Pad(((2, 1), (1, 2)), mode), (f32(4, 4),), _no_truth, note=mode.value)
        for mode in ops.PadMode
    ),
    OpCase(
        ops.Pad(
            ((-1, 1), (0, -2)),
        ),
        (f32(4, 5),),
        _no_truth,
        note="cut",
    ),
    OpCase(ops.Gather(Array(np.array(2)), -1), (f32(3, 4),), _no_truth, note="one"),
)


def cases() -> Iterator[Case]:
    """Give all cases: every variant between neurons, one of each op before and behind."""
    seen: set[type[Op]] = set()
    own = (*(case for family in FAMILIES.values() for case in family), *BORDERS)
    for case in own:
        if not case.operands or (isinstance(case.op, ops.GridSample) and type(case.op) in seen):
            continue  # a grid in one of its modes is enough: no backend tells them apart
        first = type(case.op) not in seen
        seen.add(type(case.op))
        for place in Place if first else (Place.BETWEEN,):
            yield _placed(case, place)


def _placed(case: OpCase, place: Place) -> Case:
    draw: Draw = partial(_drawn, case)
    batched = [i for i, x in enumerate(case.operands) if x.batch_axis is not None]
    draws = {f"x{i}": draw for i in batched} if place is Place.BEFORE else {}
    build = partial(_BUILDS[place], case)
    return Case(type(case.op), case.note, place, build, draws)


def _drawn(case: OpCase, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    draw = _few if isinstance(case.op, ops.ReduceProd) else case.draw
    numbers = draw(rng, shape)
    return np.rint(numbers) if _is_whole(case) else numbers


def _few(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    """Numbers whose products stay small."""
    return rng.integers(0, 3, shape)


def _is_whole(case: OpCase) -> bool:
    return case.op.family in WHOLE and not isinstance(case.op, NOT_AT_ZERO)


def whole(op: Op) -> Op:
    """Round the weights of linear ops."""
    if op.family is not Family.AFFINE:
        return op
    rounded = {name: Array(np.rint(2 * a.data)) for name, a in op.arrays.items()}
    return replace(op, **rounded) if rounded else op


def _before(case: OpCase) -> Graph:
    d = Draft()
    inputs = [
        d.edit.input(f"x{i}", TensorType(x.dims)) if x.batch_axis is not None else None
        for i, x in enumerate(case.operands)
    ]
    results = _applied(d, case, whole(case.op), inputs)
    driven = [d.edit.add(ops.Repeat(), d.edit.add(GRID, y, name="grid")) for y in results]
    return d.done(*(_answer(d, case, y, 1, FINE) for y in driven))


def _between(case: OpCase) -> Graph:
    d = Draft()
    inputs = [
        d.sent(*x.dims[1:], name=f"x{i}") if x.batch_axis is not None else None
        for i, x in enumerate(case.operands)
    ]
    results = _applied(d, case, over_time(whole(case.op)), inputs)
    return d.done(*(_answer(d, case, y, 2 if _is_whole(case) else 1) for y in results))


def _answer(d: Draft, case: OpCase, x: Value, usual: float, unit: float = 1) -> Value:
    """Add the neurons whose events show what an op has computed."""
    threshold = Array(np.float32(unit * THRESHOLDS.get(type(case.op), usual)))
    start = Array(np.float32(3 * unit)) if isinstance(case.op, STARTS) else None
    return d.edit.add(ops.IntegrateFire(threshold, ONE, v0=start), x, name="last")


def _behind(case: OpCase) -> Graph:
    d = Draft()
    inputs: list[Value | None] = []
    for i, x in enumerate(case.operands):
        sent = d.sent(*x.dims[1:], name=f"x{i}") if x.batch_axis is not None else None
        inputs.append(sent and d.edit.add(ops.MeanReadout(), sent, name=f"mean{i}"))
    return d.done(*_applied(d, case, over_time(whole(case.op)), inputs))


def _applied(d: Draft, case: OpCase, op: Op, inputs: list[Value | None]) -> list[Value]:
    """Add the op, with operands of the types that it wants; its results are floats again."""
    rng = np.random.default_rng(1)
    operands = [
        _constant(d, case, x, rng) if value is None else _typed(d, case, x, value)
        for x, value in zip(case.operands, inputs, strict=True)
    ]
    node = d.subject_node(op, *operands)
    return [
        y if y.type.dtype is DType.F32 else d.edit.add(ops.Cast(DType.F32), y, name="op_back")
        for y in node.outputs
    ]


def _typed(d: Draft, case: OpCase, x: TensorType, value: Value) -> Value:
    if isinstance(case.op, NOT_AT_ZERO):
        half = d.edit.add(ops.Constant(Array(np.float32(0.5))), name="op_half")
        value = d.edit.add(ops.Add(), value, half, name="op_shift")
    if x.dtype is DType.F32:
        return value
    return d.edit.add(ops.Cast(x.dtype), value, name="op_cast")


def _constant(d: Draft, case: OpCase, x: TensorType, rng: np.random.Generator) -> Value:
    data = _drawn(case, rng, x.shape(Sizes())).astype(x.dtype.numpy)
    return d.edit.add(ops.Constant(Array(data)), name="constant")


def over_time(op: Op) -> Op:
    """Give the op that does at each step what the given one does once."""
    if isinstance(op, ops.Reshape | ops.Expand):
        return replace(op, dims=(T, *op.dims))
    if isinstance(op, ops.Einsum) and "..." not in op.equation:
        return ops.Einsum(_timed_equation(op.equation))
    return op


def _timed_equation(text: str) -> str:
    """Put an axis of time in front of every operand that holds the batch, and of the result."""
    terms, result = text.split("->")
    marked = [f"t{term}" if "b" in term else term for term in terms.split(",")]
    return f"{','.join(marked)}->t{result}"


_BUILDS = {Place.BEFORE: _before, Place.BETWEEN: _between, Place.BEHIND: _behind}
