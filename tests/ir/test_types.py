"""Sizes with symbols behave like the numbers that they stand for."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spikec.errors import TypeMismatch
from spikec.ir import (
    Analog,
    Array,
    B,
    Dim,
    Dims,
    DType,
    Location,
    Place,
    Sizes,
    Spikes,
    SymbolicDim,
    T,
    TensorType,
)
from spikec.ir.dims import (
    add,
    bind,
    divide,
    has_batch,
    has_time,
    multiply,
    parse_dim,
    per_step,
    product,
    rate_of,
)

coefficients = st.builds(Fraction, st.integers(1, 12), st.sampled_from([1, 1, 2, 3, 4]))
symbolic = st.builds(
    SymbolicDim, coefficients, st.integers(0, 2), st.integers(0, 2)
).filter(lambda dim: dim.batch + dim.time > 0)  # fmt: skip
dims = st.integers(0, 20) | symbolic
SIZES = Sizes(batch=36, steps=144)
"""So divisible that every fraction above is a whole number."""


@given(dims, dims)
def test_a_product_of_sizes_has_the_product_of_their_numbers(a: Dim, b: Dim) -> None:
    assert SIZES.of(multiply(a, b)) == SIZES.of(a) * SIZES.of(b)
    assert multiply(a, b) == multiply(b, a)


@given(st.lists(dims, max_size=4))
def test_the_number_of_elements_is_the_product(row: list[Dim]) -> None:
    expected = 1
    for dim in row:
        expected *= SIZES.of(dim)
    assert SIZES.of(product(row)) == expected


@given(dims, dims)
def test_a_quotient_of_sizes_multiplies_back(a: Dim, b: Dim) -> None:
    quotient = divide(a, b)
    if quotient is not None:
        assert multiply(quotient, b) == a


@given(dims, dims.filter(lambda dim: dim != 0))
def test_a_product_divides_again(a: Dim, b: Dim) -> None:
    assert divide(multiply(a, b), b) == a


@pytest.mark.parametrize(("a", "b"), [(3, 2), (3, 0), (3, B), (B, T), (B, 0), (T, T * T)])
def test_what_is_no_size_is_no_quotient(a: Dim, b: Dim) -> None:
    assert divide(a, b) is None


@given(dims, dims)
def test_a_sum_of_sizes_has_the_sum_of_their_numbers(a: Dim, b: Dim) -> None:
    total = add(a, b)
    if total is not None:
        assert SIZES.of(total) == SIZES.of(a) + SIZES.of(b)


def test_sizes_of_different_symbols_have_no_sum() -> None:
    assert add(B, 1) is None
    assert add(B, T) is None
    assert add(B, B * 2) == B * 3
    assert add(2, 3) == 5


@given(dims)
def test_a_size_reads_back_from_its_text(dim: Dim) -> None:
    assert parse_dim(str(dim)) == dim
    assert parse_dim(f" {dim} ") == dim


@pytest.mark.parametrize("text", ["", "-1", "C", "B*2", "2B", "B/0", "1.5", "B+1", "T/2/2", "٣"])
def test_what_is_no_size_is_not_read(text: str) -> None:
    with pytest.raises(TypeMismatch, match="is not a size"):
        parse_dim(text)


def test_sizes_are_written_as_people_write_them() -> None:
    shown = [str(dim) for dim in (B, T * B, B * 16, T / 2, T * B * 3 / 4, T * T * B)]
    assert shown == ["B", "T*B", "16*B", "T/2", "3*T*B/4", "T*T*B"]


@given(st.integers(1, 9), st.integers(1, 9), st.lists(dims, max_size=4))
def test_binding_finds_what_the_symbols_stand_for(batch: int, steps: int, row: list[Dim]) -> None:
    declared: Dims = (T, B, *row)
    sizes = Sizes(batch, steps)
    try:
        shape = sizes.shape(declared)
    except TypeMismatch:
        assume(False)
    assert bind(declared, shape, {}) == {"B": batch, "T": steps}
    assert bind(declared, shape, {"B": batch + 1}) is None
    assert bind(declared, shape[:-1], {}) is None


def test_binding_solves_multiples_and_refuses_fractions() -> None:
    assert bind((B * 4, 3), (8, 3), {}) == {"B": 2}
    assert bind((B * 4, 3), (9, 3), {}) is None
    assert bind((B, 3), (2, 4), {}) is None
    assert bind((T / 2, B), (4, 2), {}) == {"T": 8, "B": 2}
    assert bind((T * B, 3), (8, 3), {"B": 2, "T": 4}) == {"B": 2, "T": 4}
    assert bind((3,), (3,), {"B": 5}) == {"B": 5}


def test_a_fraction_of_a_step_is_refused_with_a_remedy() -> None:
    with pytest.raises(TypeMismatch, match=r"T/2 is not a whole number at B=1, T=3") as caught:
        Sizes(1, 3).of(T / 2)
    assert "divisible by 2" in caught.value.remedy


@given(symbolic)
def test_a_step_is_one_share_of_the_time_axis(dim: SymbolicDim) -> None:
    assert has_batch(dim) == (dim.batch > 0)
    assert has_time(dim) == (dim.time > 0)
    if dim.time == 1:
        shares = SIZES.steps * rate_of(dim)
        assert SIZES.of(dim) == SIZES.of(per_step(dim)) * shares
    if not dim.time:
        assert per_step(dim) == dim
        assert rate_of(dim) == 0


def test_a_product_that_is_no_longer_symbolic_is_refused() -> None:
    with pytest.raises(TypeMismatch, match="is not symbolic"):
        B * 0


# ---- types ------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [(B, B), (T, B, T), (T * T,), (B * B, 3), (T, T * B)])
def test_a_value_holds_batch_and_time_at_most_once(row: Dims) -> None:
    with pytest.raises(TypeMismatch, match="more than once"):
        TensorType(row)


def test_a_type_knows_its_axes_size_and_rate() -> None:
    x = TensorType((T / 2, B, 3, 4))
    assert (x.rank, x.time_axis, x.batch_axis) == (4, -4, -3)
    assert x.size == T * B * 6
    assert x.rate == Fraction(1, 2)
    assert not x.is_static
    assert x.step() == TensorType((1, B, 3, 4))
    assert x.shape(Sizes(5, 8)) == (4, 5, 3, 4)
    still = TensorType((3,), DType.I64)
    assert (still.time_axis, still.batch_axis, still.rate) == (None, None, Fraction(1))
    assert still.is_static


def test_a_type_shows_what_it_is() -> None:
    spikes = Spikes(Array(0.5), signed=True, levels=3)
    assert str(TensorType((T, B, 2), DType.F32, spikes)) == "f32[T, B, 2] spikes(rate, ±3 × 0.5)"
    assert str(TensorType((), DType.BOOL)) == "bool[]"
    assert TensorType((2,), DType.F32, spikes).analog() == TensorType((2,), DType.F32, Analog())


@pytest.mark.parametrize("dtype", DType)
def test_element_types_map_to_numpy_and_back(dtype: DType) -> None:
    assert DType.of(dtype.numpy) is dtype
    assert dtype.is_float == (dtype.numpy.kind == "f")


def test_an_element_type_without_a_name_is_refused() -> None:
    with pytest.raises(TypeMismatch, match="complex64"):
        DType.of(Array([1j], "complex64").dtype)


# ---- arrays and places ------------------------------------------------------------------------


def test_an_array_is_its_content_and_cannot_change() -> None:
    data = Array([1.0, 2.0]).data.copy()
    array = Array(data)
    data[0] = 5
    assert array == Array([1.0, 2.0])
    assert hash(array) == hash(Array([1.0, 2.0]))
    assert array != Array([1.0, 2.0], "float32")
    assert array != Array([[1.0, 2.0]])
    assert Array(0.0) != Array(-0.0)
    assert Array(float("nan")) == Array(float("nan"))
    with pytest.raises(ValueError, match="read-only"):
        array.data[0] = 1


def test_places_merge_once_each_and_in_order() -> None:
    a, b = Location.at("a", "net.py", 1), Location.at(onnx="/b")
    assert (a + b + a).places == (Place("a", "net.py", 1), Place(onnx="/b"))
    assert str(a + b) == "a (net.py:1) + ONNX node /b"
    assert not Location.at()
