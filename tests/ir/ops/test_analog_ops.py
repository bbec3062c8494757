"""Every analog op computes what PyTorch computes, and says beforehand what will come out."""

from __future__ import annotations

import numpy as np
import pytest
from torch.utils.flop_counter import FlopCounterMode

from spikec.errors import TypeMismatch
from spikec.ir import B, DType, Family, Sizes, T, TensorType, Timing, ops
from tests.ir.ops.cases import Case
from tests.ir.ops.comparison import assert_equal
from tests.ir.ops.element_cases import ACTIVATIONS, ELEMENTARY
from tests.ir.ops.every_case import CASES

MATRIX_PRODUCTS = (ops.Linear, ops.Conv, ops.ConvTranspose, ops.Matmul, ops.Einsum)
PRODUCTS = [
    case
    for case in CASES
    if isinstance(case.op, MATRIX_PRODUCTS) and case.note not in ("vector", "three")
]

every = pytest.mark.parametrize("case", CASES, ids=str)
trailing = pytest.mark.parametrize("case", [c for c in CASES if c.trailing and c.operands], ids=str)
floats = pytest.mark.parametrize("dtype", [DType.F32, DType.F64], ids=lambda d: d.value)


@every
@floats
def test_an_op_computes_what_torch_computes(case: Case, dtype: DType) -> None:
    case = case.typed(dtype)
    values = case.values()
    results = case.op.run(values, Sizes(batch=3))
    computes = case.op.macs(case.operands, case.op.infer(case.operands)) != 0
    moves = case.op.family is Family.SHAPE and not isinstance(case.op, ops.Resize) and not computes
    for got, wanted in zip(results, case.expected(values), strict=True):
        assert_equal(got, wanted, exact=moves)


@every
@floats
@pytest.mark.parametrize("batch", [2, 3])
def test_types_tell_sizes_and_element_types(case: Case, dtype: DType, batch: int) -> None:
    case = case.typed(dtype)
    types = case.op.infer(case.operands)
    results = case.op.run(case.values(batch), Sizes(batch))
    assert [x.shape(Sizes(batch)) for x in types] == [y.shape for y in results]
    assert [x.dtype for x in types] == [DType.of(y.dtype) for y in results]


@every
def test_an_op_leaves_its_operands_alone(case: Case) -> None:
    values = case.values()
    for value in values:
        value.flags.writeable = False
    before = [value.copy() for value in values]
    case.op.run(values, Sizes(3))
    assert all(np.array_equal(a, b) for a, b in zip(values, before, strict=True))


@trailing
def test_an_op_on_trailing_axes_needs_no_batch(case: Case) -> None:
    single = tuple(x.with_dims(x.dims[x.batch_axis is not None :]) for x in case.operands)
    batched = case.values()
    values = tuple(
        v if x.batch_axis is None else v[1] for x, v in zip(case.operands, batched, strict=True)
    )
    types = case.op.infer(single)
    results = case.op.run(values, Sizes())
    for type_, got, wanted in zip(types, results, case.op.run(batched, Sizes(3)), strict=True):
        assert type_.shape(Sizes()) == got.shape
        assert_equal(got, wanted[1])


@trailing
def test_an_op_on_trailing_axes_takes_time_steps_in_front(case: Case) -> None:
    timed = tuple(x if x.batch_axis is None else x.with_dims((T, *x.dims)) for x in case.operands)
    first, second = case.values(3, seed=0), case.values(3, seed=1)
    second = tuple(a if x.is_static else b for x, a, b in zip(timed, first, second, strict=True))
    both = tuple(
        a if x.is_static else np.stack([a, b]) for x, a, b in zip(timed, first, second, strict=True)
    )
    assert case.op.timing(timed) is Timing.STEPWISE
    types = case.op.infer(timed)
    assert [x.dims for x in types] == [(T, *x.dims) for x in case.op.infer(case.operands)]
    results = case.op.run(both, Sizes(3, 2))
    for step, operands in enumerate((first, second)):
        for got, wanted in zip(results, case.op.run(operands, Sizes(3)), strict=True):
            assert_equal(got[step], wanted)


@every
def test_an_op_on_static_operands_is_static(case: Case) -> None:
    assert case.op.timing(case.operands) is Timing.STATIC


@pytest.mark.parametrize("case", PRODUCTS, ids=str)
def test_multiplications_are_half_of_the_operations_that_torch_counts(case: Case) -> None:
    with FlopCounterMode(display=False) as counter:
        case.expected(case.values(3))
    macs = case.op.macs(case.operands, case.op.infer(case.operands))
    assert counter.get_total_flops() > 0
    assert Sizes(3).shape((macs,)) == (counter.get_total_flops() // 2,)


def test_products_that_torch_does_not_count_are_counted_by_hand() -> None:
    matrix, vector = TensorType((B, 3, 4)), TensorType((4,))
    assert ops.Matmul().macs((matrix, vector), ops.Matmul().infer((matrix, vector))) == B * 12
    # two multiplications per term of a product of three, none in a plain sum
    three = ops.Einsum("bij,jk,bk->bi")
    operands = (TensorType((B, 2, 3)), TensorType((3, 5)), TensorType((B, 5)))
    assert three.macs(operands, three.infer(operands)) == B * (2 * 3 * 5 * 2)
    assert ops.Einsum("bij->b").macs(operands[:1], ()) == 0


@pytest.mark.parametrize(
    "case",
    [c for c in CASES if isinstance(c.op, ops.Mul | ops.Scale) or c.op.family is Family.NORM],
    ids=str,
)
def test_elementwise_products_count_one_multiplication_an_element(case: Case) -> None:
    (result,) = case.op.infer(case.operands)
    lrn = isinstance(case.op, ops.LocalResponseNorm)
    assert case.op.macs(case.operands, (result,)) == (0 if lrn else result.size)


def test_every_analog_op_has_a_case() -> None:
    entrances = {ops.Input, ops.Output}  # they compute nothing; see below
    assert {type(case.op) for case in CASES} | entrances == set(ops.ANALOG_OPS)


def test_case_names_are_unique() -> None:
    names = [str(case) for case in CASES]
    assert sorted(set(names)) == sorted(names)


def test_inputs_and_outputs_are_borders() -> None:
    type_ = TensorType((3,))
    assert ops.Input(type_).infer(()) == (type_,)
    assert ops.Output().infer((type_,)) == ()
    assert ops.Output().run((np.zeros(3),), Sizes()) == ()
    with pytest.raises(TypeMismatch, match="given by the caller"):
        ops.Input(type_).run((), Sizes())


@pytest.mark.parametrize("case", [*ACTIVATIONS, *ELEMENTARY], ids=str)
def test_an_elementwise_op_takes_a_scalar(case: Case) -> None:
    (operand,) = case.operands
    arrays = case.op.arrays
    if arrays or isinstance(case.op, ops.Softmax):
        with pytest.raises(TypeMismatch):
            case.op.infer((operand.with_dims(()),))
        return
    value = case.values()[0].flat[0]
    (result,) = case.op.run((np.asarray(value),), Sizes())
    assert isinstance(result, np.ndarray)
    assert result == case.op.run((np.asarray([value]),), Sizes())[0][0]
