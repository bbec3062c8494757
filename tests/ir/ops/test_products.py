"""Matrix products, Einstein sums, and arithmetic on integers, as PyTorch has them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikec.ir import Array, Op, ops
from tests.ir.ops.comparison import assert_as_torch, assert_equal, drawn, run, tensor


@given(st.data())
def test_matrix_products_broadcast(data: st.DataObject) -> None:
    full = data.draw(st.lists(st.integers(1, 3), max_size=3))

    def lead() -> list[int]:
        shape = [n if data.draw(st.booleans()) else 1 for n in full]
        return shape[data.draw(st.integers(0, len(full))) :]

    rows, inner, columns = (data.draw(st.integers(1, 4)) for _ in range(3))
    a = drawn(inner) if data.draw(st.booleans()) else drawn(*lead(), rows, inner)
    b = drawn(inner) if data.draw(st.booleans()) else drawn(*lead(), inner, columns, seed=1)
    assert_as_torch(ops.Matmul(), tensor(a) @ tensor(b), a, b)


EQUATIONS = {
    "ij,jk->ik": ((2, 3), (3, 4)),
    "ij->ji": ((2, 3),),
    "ii->i": ((3, 3),),
    "ii->": ((3, 3),),
    "i,j->ij": ((2,), (3,)),
    "...i->...": ((2, 3, 4),),
    "...ij,...jk->...ik": ((5, 1, 2, 3), (4, 3, 2)),
    "b...,b...->b...": ((2, 3, 4), (2, 4)),
    "i...j,jk->ik...": ((2, 5, 6, 3), (3, 4)),
    "bhid,bhjd->bhij": ((2, 2, 3, 4), (2, 2, 5, 4)),
    "ab,bc,cd->ad": ((2, 3), (3, 4), (4, 5)),
    "ij,ij->": ((2, 3), (1, 3)),
    "...i->i": ((2, 3, 4),),
    " b i , b i -> b ": ((2, 3), (2, 3)),
}


@pytest.mark.parametrize("equation", EQUATIONS)
def test_einstein_sums(equation: str) -> None:
    values = [drawn(*shape, seed=i) for i, shape in enumerate(EQUATIONS[equation])]
    wanted = torch.einsum(equation, *map(tensor, values))
    assert_as_torch(ops.Einsum(equation), wanted, *values)


INTEGERS = st.lists(
    st.tuples(st.integers(-128, 127), st.integers(-128, 127)), min_size=1, max_size=20
)


@pytest.mark.parametrize("kind", [np.int8, np.int64])
@given(pairs=INTEGERS)
def test_integer_quotients_and_remainders(
    kind: type[np.integer], pairs: list[tuple[int, int]]
) -> None:
    a, b = (np.array(column, kind) for column in zip(*pairs, strict=True))
    b[b == 0] = 1
    b[(a == np.iinfo(kind).min) & (b == -1)] = 1  # this quotient does not exist
    quotient = torch.div(tensor(a), tensor(b), rounding_mode="trunc")
    assert_as_torch(ops.Div(), quotient, a, b)
    assert_as_torch(ops.FloorMod(), torch.remainder(tensor(a), tensor(b)), a, b)


@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(-5, 5)), min_size=1, max_size=20))
def test_integer_powers(pairs: list[tuple[int, int]]) -> None:
    a, b = (np.array(column) for column in zip(*pairs, strict=True))
    b[(a == 0) & (b < 0)] = 1  # 1 / 0
    assert_as_torch(ops.Pow(), torch.pow(tensor(a), tensor(b)), a, b)


def test_quotients_of_nothing_are_infinite_without_a_warning() -> None:
    a, b = np.array([1.0, -1.0, 0.0]), np.zeros(3)
    assert_as_torch(ops.Div(), tensor(a) / tensor(b), a, b)
    assert_as_torch(ops.Log(), torch.log(tensor(a)), a)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 9])
def test_response_normalisation_as_onnx_defines_it(size: int) -> None:
    op = ops.LocalResponseNorm(size, 0.3, 0.75, 2.0, -2)
    x = drawn(5, 3)
    wanted = np.empty_like(x)
    for c in range(5):
        first = max(0, c - math.floor((size - 1) / 2))
        last = min(4, c + math.ceil((size - 1) / 2))
        power = (x[first : last + 1] ** 2).sum(0)
        wanted[c] = x[c] / (2.0 + 0.3 / size * power) ** 0.75
    assert_equal(run(op, x), wanted)


def test_response_normalisation_of_torch_with_even_size_is_ours_upside_down() -> None:
    x = drawn(1, 5, 3)
    theirs = torch.nn.functional.local_response_norm(tensor(x), 4, 0.3, 0.75, 2.0).numpy()
    op = ops.LocalResponseNorm(4, 0.3, 0.75, 2.0, -2)
    assert_equal(run(op, x[:, ::-1])[:, ::-1], theirs)
    assert np.abs(run(op, x) - theirs).max() > 1e-3


def test_erf_is_right_to_the_last_bit() -> None:
    x = np.concatenate([np.linspace(-7, 7, 2001), [0.0, -0.0, 1e-300, np.inf, -np.inf]])
    wanted = np.array([math.erf(v) for v in x])
    np.testing.assert_array_equal(run(ops.Erf(), x), wanted)
    single = x[:2001].astype(np.float32)
    np.testing.assert_array_equal(
        run(ops.Erf(), single), np.array([math.erf(v) for v in single], np.float32)
    )
    assert np.isnan(run(ops.Erf(), np.array(np.nan)))


def test_sigmoids_do_not_overflow() -> None:
    x = np.array([-1e4, -800.0, 0.0, 800.0, 1e4])
    for op, truth in ((ops.Sigmoid(), torch.sigmoid), (ops.SiLU(), torch.nn.functional.silu)):
        assert_as_torch(op, truth(tensor(x)), x)
    assert_as_torch(ops.Softplus(), torch.logaddexp(tensor(x), torch.zeros(5)), x)
    assert_as_torch(ops.Softmax(-1), torch.softmax(tensor(x), -1), x)


@pytest.mark.parametrize(
    "op",
    [
        ops.ReLU(),
        ops.Clip(0.0, 1.0),
        ops.LeakyReLU(),
        ops.GELU(),
        ops.Sigmoid(),
        ops.HardSwish(),
        ops.QuantReLU(Array(np.array(0.5)), 4),
        ops.Quantise(Array(np.array(0.5)), -4, 4),
    ],
    ids=lambda op: type(op).__name__,
)
def test_nan_is_passed_on(op: Op) -> None:
    assert np.isnan(run(op, np.array([np.nan]))).all()
