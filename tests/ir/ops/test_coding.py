"""Encoders and decoders against their equations, and what a code promises from end to end."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikec.errors import TypeMismatch
from spikec.ir import Array, B, Code, DType, Editor, Graph, Op, Spikes, T, TensorType
from spikec.ir.ops import (
    AndOverTime,
    Burst,
    DeltaEncode,
    DifferentialReadout,
    Impulse,
    LastStep,
    Latency,
    MeanOverTime,
    MeanReadout,
    Phase,
    Poisson,
    Repeat,
    SumOverTime,
    WindowReadout,
)
from spikec.runtime import run
from tests.ir.ops.scalar_neuron import dtypes, seeds
from tests.ir.ops.scans import Numbers, currents, over_time

A = Array
BINARY = Spikes(A(1.0))


def images(seed: int, shape: tuple[int, ...] = (2, 3)) -> Numbers:
    """Give values of [0, 1), multiples of 1/256."""
    return np.random.default_rng(seed).integers(0, 256, shape) / 256


def held(x: Numbers, steps: int) -> Numbers:
    return np.repeat(x[np.newaxis], steps, 0)


def from_static(op: Op, x: Numbers, steps: int, dtype: str = "float64") -> Numbers:
    edit = Editor(Graph("static"), by="test")
    kind = DType.F32 if x.dtype.kind == "f" else DType.of(x.dtype)
    value = edit.add(op, edit.input("x", TensorType((B, *x.shape[1:]), kind)))
    assert value.type.dims == (T, B, *x.shape[1:])
    edit.output("y", value)
    result = run(edit.graph, x, steps=steps, dtype=dtype)
    assert isinstance(result, np.ndarray)
    return result


def test_repeat_shows_the_same_at_each_step() -> None:
    x = images(0)
    np.testing.assert_array_equal(from_static(Repeat(), x, 5), held(x, 5))


def test_impulse_comes_once_or_spread() -> None:
    x = images(1)
    np.testing.assert_array_equal(from_static(Impulse(), x, 3), np.stack([x, 0 * x, 0 * x]))
    y = from_static(Impulse(4), x, 6)
    np.testing.assert_array_equal(y[:4], held(x / 4, 4))
    assert not y[4:].any()
    whole = np.arange(6).reshape(2, 3).astype(np.int32)
    assert from_static(Impulse(), whole, 2).dtype == np.int32


@pytest.mark.parametrize("signed", [False, True])
def test_poisson_fires_with_the_stated_probability(signed: bool) -> None:
    x = np.linspace(-1, 2, 7).reshape(1, 7)
    y = over_time(Poisson(3, A(1.5), signed), held(x, 4000))
    assert set(np.unique(y)) <= {-1.5, 0.0, 1.5}
    expected = x if signed else np.maximum(x, 0)
    np.testing.assert_allclose(y.mean(0), np.clip(expected, -1.5, 1.5), atol=0.06)


def test_poisson_is_the_documented_function_of_seed_step_and_place() -> None:
    x = images(2, (2, 3, 4))
    y = over_time(Poisson(11), held(x, 3))
    for t in (1, 2, 3):
        raw = np.random.Philox(key=np.array([11, t], np.uint64)).random_raw(12).tolist()
        u = np.array([(r >> 11) * 2.0**-53 for r in raw]).reshape(3, 4)
        np.testing.assert_array_equal(y[t - 1], u < x)


@given(seed=st.integers(0, 2**64 - 1), dtype=dtypes)
def test_poisson_does_not_depend_on_batching(seed: int, dtype: str) -> None:
    x = images(5, (4, 3))
    op = Poisson(seed)
    together = over_time(op, held(x, 6), dtype)
    turned = over_time(op, held(x[::-1], 6), dtype)[:, ::-1]
    apart = [over_time(op, held(x[i : i + 1], 6), dtype) for i in range(4)]
    np.testing.assert_array_equal(together, np.concatenate(apart, 1))
    np.testing.assert_array_equal(together, turned)


def test_poisson_differs_between_seeds_and_between_steps() -> None:
    x = held(np.full((1, 200), 0.5), 2)
    one, two = over_time(Poisson(1), x), over_time(Poisson(2), x)
    assert 0.3 < (one != two).mean() < 0.7
    assert 0.3 < (one[0] != one[1]).mean() < 0.7


def test_poisson_over_an_axis_of_time_and_batch() -> None:
    x = images(6, (2, 5))
    edit = Editor(Graph("flat"), by="test")
    edit.output("y", edit.add(Poisson(9), edit.input("x", TensorType((T * B, 5)))))
    flat = run(edit.graph, np.concatenate([x, x, x]), steps=3, dtype="float64")
    assert isinstance(flat, np.ndarray)
    np.testing.assert_array_equal(flat.reshape(3, 2, 5), over_time(Poisson(9), held(x, 3)))


@given(seed=seeds, window=st.integers(1, 9))
def test_latency_fires_once_a_window_earlier_for_more(seed: int, window: int) -> None:
    x = images(seed, (2, 6)) * 2
    y = over_time(Latency(window, A(2.0)), held(x, 2 * window))
    np.testing.assert_array_equal(y[:window], y[window:])
    np.testing.assert_array_equal(y[:window].sum(0), 2.0 * (x > 0))
    for place in np.ndindex(*x.shape):
        if x[place] > 0:
            late = int(np.floor((1 - x[place] / 2) * (window - 1) + 0.5))
            assert y[late][place] == 2.0


@given(seed=seeds, bits=st.integers(1, 10), dtype=dtypes)
def test_phase_sends_binary_digits(seed: int, bits: int, dtype: str) -> None:
    x = images(seed)
    y = over_time(Phase(bits), held(x, 2 * bits), dtype)
    weights = 0.5 ** np.arange(1, bits + 1).reshape(-1, 1, 1)
    digits = np.floor(x * 2**bits) / 2**bits
    np.testing.assert_array_equal((y[:bits] * weights).sum(0), digits)
    np.testing.assert_array_equal(y[:bits], y[bits:])


@given(seed=seeds, doublings=st.integers(0, 4))
def test_burst_is_its_equation_and_keeps_the_rate(seed: int, doublings: int) -> None:
    x = images(seed)
    y = over_time(Burst(A(0.125), doublings), held(x, 40))
    for place in np.ndindex(*x.shape):
        v, g = 0.0, 1
        for t in range(40):
            v += float(x[place])
            fired = v >= g * 0.125
            assert y[t][place] == (g * 0.125 if fired else 0)
            v -= g * 0.125 if fired else 0
            g = min(2 * g, 2**doublings) if fired else 1
    if doublings == 4:
        np.testing.assert_allclose(y.mean(0), x, atol=0.1)


@given(seed=seeds, levels=st.integers(1, 6), deadband=st.integers(1, 3), dtype=dtypes)
def test_delta_is_its_equation(seed: int, levels: int, deadband: int, dtype: str) -> None:
    x = np.round(currents(seed, steps=10) * 64) / 64
    deadband = min(deadband, levels)
    y = over_time(DeltaEncode(A(0.25), levels, deadband), x, dtype)
    for place in np.ndindex(*x.shape[1:]):
        sent = 0.0
        for t in range(10):
            e = int(np.floor((float(x[t][place]) - sent) / 0.25 + 0.5))
            e = max(-levels, min(levels, e))
            e = e if abs(e) >= deadband else 0
            assert y[t][place] == 0.25 * e
            sent += 0.25 * e


def test_delta_follows_frames_within_half_a_step() -> None:
    x = np.cumsum(currents(1, 20, scale=0.1), 0)
    y = over_time(DeltaEncode(A(0.05), 100), x)
    assert np.abs(y.cumsum(0) - x).max() <= 0.025 + 1e-12


@given(seed=seeds, start=st.integers(0, 6), dtype=dtypes)
def test_mean_read_out_starts_late(seed: int, start: int, dtype: str) -> None:
    x = np.round(currents(seed, steps=8) * 64) / 64
    y = over_time(MeanReadout(start), x, dtype)
    for t in range(1, 9):
        first = start if t > start else 0
        expected = (x[first:t].sum(0).astype(dtype) / np.dtype(dtype).type(t - first)).astype(dtype)
        np.testing.assert_array_equal(y[t - 1], expected)


def test_differential_read_out_weighs_by_one_over_t() -> None:
    x = currents(0, steps=7)
    expected = np.cumsum(x / np.arange(1, 8).reshape(-1, 1, 1), 0)
    np.testing.assert_allclose(over_time(DifferentialReadout(), x), expected, rtol=1e-14)


def test_window_read_out_shows_the_last_finished_window() -> None:
    x = currents(0, steps=8)
    weights = np.array([0.5, 0.25, 0.125])
    y = over_time(WindowReadout(A(weights)), x)
    sums = [np.tensordot(weights, x[i : i + 3], 1) for i in (0, 3)]
    np.testing.assert_allclose(y[0], weights[0] * x[0])
    np.testing.assert_allclose(y[1], weights[0] * x[0] + weights[1] * x[1])
    for t in (2, 3, 4):
        np.testing.assert_allclose(y[t], sums[0], rtol=1e-14)
    for t in (5, 6, 7):
        np.testing.assert_allclose(y[t], sums[1], rtol=1e-14)


@pytest.mark.parametrize("dims", [(T, B, 3), (B, T, 3), (B, 3, T)])
def test_whole_sequence_decoders_along_any_axis(dims: tuple[Any, ...]) -> None:
    axis = dims.index(T)
    x = np.moveaxis(currents(3, steps=5), 0, axis)
    expected = [
        (LastStep(axis - 3), x.take(4, axis)),
        (SumOverTime(axis - 3), x.sum(axis)),
        (MeanOverTime(axis - 3), x.mean(axis)),
    ]
    for op, value in expected:
        edit = Editor(Graph("whole"), by="test")
        result = edit.add(op, edit.input("x", TensorType(dims)))
        assert result.type.dims == tuple(d for d in dims if d != T)
        edit.output("y", result)
        np.testing.assert_allclose(run(edit.graph, x, dtype="float64"), value, rtol=1e-13)


@given(seed=seeds)
def test_and_over_time_is_product_and_minimum(seed: int) -> None:
    x = (np.random.default_rng(seed).random((3, 4, 5)) < 0.8).astype(np.float64)
    y = over_time(AndOverTime(-3), x, signal=BINARY)
    np.testing.assert_array_equal(y, x.prod(0))
    np.testing.assert_array_equal(y, x.min(0))
    bits = over_time(AndOverTime(-3), x.astype(bool))
    np.testing.assert_array_equal(bits, x.all(0))


X = TensorType((T, B, 3))
WRONG: dict[str, tuple[Op, TensorType, str]] = {
    "repeat of what has time": (Repeat(), X, "time already"),
    "impulse of 0 steps": (Impulse(0), TensorType((B, 3)), "steps"),
    "integers spread": (Impulse(2), TensorType((B, 3), DType.I32), "floating"),
    "static image": (Poisson(0), TensorType((B, 3)), "Repeat"),
    "negative seed": (Poisson(-1), X, "seed"),
    "batch with channels": (Poisson(0), TensorType((T, B * 3)), "batch"),
    "scale": (Latency(4, A(0.0)), X, "above 0"),
    "bits": (Phase(0), X, "bits"),
    "doublings": (Burst(A(1.0), 99), X, "doublings"),
    "deadband above levels": (DeltaEncode(A(1.0), 2, 3), X, "deadband"),
    "late start": (MeanReadout(-1), X, "start"),
    "weights": (WindowReadout(A(1.0)), X, "weights"),
    "time with batch": (LastStep(-2), TensorType((T * B, 3)), "Reshape"),
    "no time": (SumOverTime(-1), X, "time"),
    "mean of integers": (MeanOverTime(-3), TensorType((T, B, 3), DType.I32), "floating"),
    "and of analog": (AndOverTime(-3), X, "events"),
    "and of bursts": (
        AndOverTime(-3),
        TensorType((T, B, 3), signal=Spikes(A(1.0), levels=3)),
        "events",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_parameters_are_refused(name: str) -> None:
    op, x, word = WRONG[name]
    with pytest.raises(TypeMismatch, match=word):
        op.infer((x,))


CODES: list[tuple[Op, bool, int, Code]] = [
    (Poisson(1), False, 1, Code.RATE),
    (Poisson(1, signed=True), True, 1, Code.RATE),
    (Latency(4), False, 1, Code.LATENCY),
    (Phase(4), False, 1, Code.FEW_SPIKES),
    (Burst(A(0.125), 3), False, 8, Code.RATE),
    (DeltaEncode(A(0.25), 4), True, 4, Code.DELTA),
]


@pytest.mark.parametrize("case", CODES, ids=lambda case: type(case[0]).__name__)
def test_the_type_says_what_is_sent(case: tuple[Op, bool, int, Code]) -> None:
    op, signed, levels, code = case
    (y,) = op.infer((X,))
    assert isinstance(y.signal, Spikes)
    assert (y.signal.signed, y.signal.levels, y.signal.code) == (signed, levels, code)
    k = over_time(op, currents(2, 20)) / y.signal.amplitude.data
    np.testing.assert_array_equal(k, np.round(k))
    assert 0 < np.abs(k).max() <= levels
    assert (k.min() < 0) == signed
