"""Sums, differences, delays and wavelets over time and space."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikec.errors import DataError, TypeMismatch
from spikec.ir import Array, B, DType, Editor, Graph, Op, Sizes, Spikes, T, TensorType, Timing
from spikec.ir.ops import (
    GELU,
    CumulativeSum,
    Delay,
    Difference,
    DifferentialReadout,
    Haar,
    HaarInverse,
    MaxPool,
    MeanReadout,
    PhaseScale,
    Softmax,
    StepScale,
    TimeMix,
    TimeScale,
)
from spikec.runtime import run, trace
from tests.ir.ops.scalar_neuron import dtypes, seeds
from tests.ir.ops.scans import Numbers, currents, over_time


def chain(x: Numbers, *ops: Op) -> Numbers:
    edit = Editor(Graph("chain"), by="test")
    value = edit.input("x", TensorType((T, B, *x.shape[2:])))
    for op in ops:
        value = edit.add(op, value)
    edit.output("y", value)
    result = run(edit.graph, x, dtype="float64")
    assert isinstance(result, np.ndarray)
    return result


@given(seed=seeds)
def test_sum_and_difference_undo_each_other(seed: int) -> None:
    x = np.round(currents(seed, steps=9) * 64) / 64
    np.testing.assert_array_equal(over_time(CumulativeSum(), x), x.cumsum(0))
    np.testing.assert_array_equal(over_time(Difference(), x), np.diff(x, axis=0, prepend=0))
    np.testing.assert_array_equal(chain(x, CumulativeSum(), Difference()), x)
    np.testing.assert_array_equal(chain(x, Difference(), CumulativeSum()), x)


def test_sums_of_integers_stay_integers() -> None:
    x = np.arange(24).reshape(4, 2, 3).astype(np.int32)
    y = over_time(CumulativeSum(), x)
    assert y.dtype == np.int32
    np.testing.assert_array_equal(y, x.cumsum(0))


def test_max_pool_by_cumulative_differencing_is_exact_at_every_step() -> None:
    x = (np.random.default_rng(0).random((12, 2, 3, 4, 4)) < 0.4).astype(np.float64)
    pool = MaxPool((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1))
    y = chain(x, CumulativeSum(), pool, Difference())
    cells = x.cumsum(0).reshape(12, 2, 3, 2, 2, 2, 2)
    np.testing.assert_array_equal(y.cumsum(0), cells.max((4, 6)))


@pytest.mark.parametrize("f", [GELU(), Softmax(-1)])
def test_rate_and_differential_codes_through_any_function(f: Op) -> None:
    x = currents(4, steps=10)
    rate = chain(x, MeanReadout(), f, TimeScale(), Difference())
    means = x.cumsum(0) / np.arange(1, 11).reshape(-1, 1, 1)
    expected = f.run((means,), Sizes())[0]
    decoded = rate.cumsum(0) / np.arange(1, 11).reshape(-1, 1, 1)
    np.testing.assert_allclose(decoded, expected, atol=1e-12)
    differential = chain(x, DifferentialReadout(), f, Difference(), TimeScale())
    decoded = chain(differential, DifferentialReadout())
    expected = f.run((chain(x, DifferentialReadout()),), Sizes())[0]
    np.testing.assert_allclose(decoded, expected, atol=1e-12)


@given(seed=seeds, steps=st.integers(1, 4), dtype=dtypes)
def test_delay_shifts_and_keeps_spikes(seed: int, steps: int, dtype: str) -> None:
    x = (np.random.default_rng(seed).random((7, 2, 3)) < 0.5).astype(np.float64)
    signal = Spikes(Array(1.0))
    y = over_time(Delay(steps), x, dtype, signal)
    np.testing.assert_array_equal(y[steps:], x[: 7 - steps])
    assert not y[:steps].any()
    (type_,) = Delay(steps).infer((TensorType((T, B, 3), signal=signal),))
    assert type_.signal == signal


@given(seed=seeds, dtype=dtypes)
def test_scales_by_step_and_by_phase(seed: int, dtype: str) -> None:
    x = currents(seed, steps=7).astype(dtype)
    t = np.arange(1, 8).reshape(-1, 1, 1).astype(dtype)
    np.testing.assert_array_equal(over_time(TimeScale(), x, dtype), x * t)
    np.testing.assert_array_equal(over_time(TimeScale(-1), x, dtype), x / t)
    weights = np.array([0.5, 0.25, 0.125], dtype)
    phases = weights[np.arange(7) % 3].reshape(-1, 1, 1)
    np.testing.assert_array_equal(over_time(PhaseScale(Array(weights)), x, dtype), x * phases)


@given(seed=seeds, dtype=dtypes)
def test_weights_by_step_and_element(seed: int, dtype: str) -> None:
    x = currents(seed, steps=7).astype(dtype)
    weights = np.random.default_rng(seed).normal(size=(3, *x.shape[2:])).astype(dtype)
    wanted = x * weights[np.arange(7) % 3][:, None]
    np.testing.assert_array_equal(over_time(StepScale(Array(weights)), x, dtype), wanted)
    plain = weights.reshape(3, -1)[:, 0]
    by_phase = over_time(PhaseScale(Array(plain)), x, dtype)
    np.testing.assert_array_equal(over_time(StepScale(Array(plain)), x, dtype), by_phase)


@given(seed=seeds, dtype=dtypes, out=st.integers(1, 3), window=st.integers(1, 3))
def test_steps_that_meet_in_windows(seed: int, dtype: str, out: int, window: int) -> None:
    x = currents(seed, steps=2 * window).astype(dtype)
    weight = np.random.default_rng(seed).normal(size=(out, window)).astype(dtype)
    op = TimeMix(Array(weight), -x.ndim)
    (y,) = op.run((x,), Sizes(x.shape[1], len(x)))
    halves = [np.einsum("lk,k...->l...", weight, part) for part in (x[:window], x[window:])]
    np.testing.assert_allclose(y, np.concatenate(halves), rtol=1e-5, atol=1e-6)
    declared = TensorType((T, B, *x.shape[2:]))
    assert op.infer((declared,))[0].dims[0] == T * out / window
    assert op.timing((declared,)) is Timing.WHOLE


def test_windows_have_to_fill_the_steps() -> None:
    op = TimeMix(Array(np.ones((2, 2))), -2)
    with pytest.raises(TypeMismatch, match="3 steps in windows of 2"):
        op.run((np.zeros((3, 4)),), Sizes(1, 3))


def wavelet_graph(dims: tuple[Any, ...], axes: tuple[int, ...]) -> Graph:
    """Split along each axis in turn, and put everything together again."""
    edit = Editor(Graph("wavelet"), by="test")
    bands = [edit.input("x", TensorType(dims))]
    for axis in axes:
        bands = [b for value in bands for b in edit.add_node(Haar(axis), (value,)).outputs]
    for i, band in enumerate(bands):
        edit.output(f"band{i}", band)
    for axis in reversed(axes):
        pairs = zip(bands[::2], bands[1::2], strict=True)
        bands = [edit.add(HaarInverse(axis), low, high) for low, high in pairs]
    edit.output("back", bands[0])
    return edit.graph


@pytest.mark.parametrize("axes", [(-5,), (-1,), (-2, -1), (-5, -2, -1), (-5, -5), (-1, -1, -2)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_haar_reconstructs_and_keeps_the_energy(axes: tuple[int, ...], dtype: str) -> None:
    x = currents(1, steps=8, shape=(2, 3, 4, 8))
    *bands, back = run(wavelet_graph((T, B, 3, 4, 8), axes), x, dtype=dtype)
    tolerance = 1e-6 if dtype == "float32" else 1e-14
    np.testing.assert_allclose(back, x, atol=5 * tolerance)
    energy = sum(float(np.square(band.astype(np.float64)).sum()) for band in bands)
    np.testing.assert_allclose(energy, np.square(x).sum(), rtol=2 * tolerance)
    assert {band.size for band in bands} == {x.size // 2 ** len(axes)}


def test_haar_is_sums_and_differences_of_pairs() -> None:
    x = currents(2, steps=4, shape=(2, 6))
    low, high, _ = run(wavelet_graph((T, B, 6), (-3,)), x, dtype="float64")
    np.testing.assert_allclose(low, (x[::2] + x[1::2]) / np.sqrt(2), rtol=1e-15)
    np.testing.assert_allclose(high, (x[::2] - x[1::2]) / np.sqrt(2), rtol=1e-15)


def test_haar_over_time_halves_the_rate_and_takes_the_whole_sequence() -> None:
    x = TensorType((T, B, 3))
    low, high = Haar(-3).infer((x,))
    assert low.dims == high.dims == (T / 2, B, 3)
    assert Haar(-3).timing((x,)) is Timing.WHOLE
    assert Haar(-1).timing((TensorType((T, B, 4)),)) is Timing.STEPWISE
    (back,) = HaarInverse(-3).infer((low, high))
    assert back.dims == x.dims
    with pytest.raises(DataError, match="multiple of 2"):
        run(wavelet_graph((T, B, 3), (-3,)), np.zeros((5, 2, 3)))


def test_an_odd_axis_repeats_its_last_element() -> None:
    x = currents(3, steps=2, shape=(1, 5))
    low, high, back = run(wavelet_graph((T, B, 5), (-1,)), x, dtype="float64")
    np.testing.assert_allclose(low[..., 2], np.sqrt(2) * x[..., 4], rtol=1e-15)
    np.testing.assert_array_equal(high[..., 2], 0)
    np.testing.assert_allclose(back[..., :5], x, atol=1e-14)


def test_scans_on_bands_run_at_half_the_rate() -> None:
    edit = Editor(Graph("half"), by="test")
    low = edit.add_node(Haar(-3), (edit.input("x", TensorType((T, B, 3))),)).outputs[0]
    total = edit.add(CumulativeSum(), low)
    edit.output("y", edit.add(TimeScale(), total, name="scaled"))
    x = currents(3, steps=6)
    values = trace(edit.graph, x, dtype="float64").values
    sums = values["haar"].cumsum(0)
    np.testing.assert_allclose(values["scaled"], sums * np.array([1, 2, 3]).reshape(3, 1, 1))


WRONG: dict[str, tuple[Op, TensorType]] = {
    "static": (CumulativeSum(), TensorType((B, 3))),
    "bools": (Difference(), TensorType((T, B), DType.BOOL)),
    "power": (TimeScale(2), TensorType((T, B))),
    "integers": (TimeScale(), TensorType((T, B), DType.I32)),
    "no delay": (Delay(0), TensorType((T, B))),
    "weights by step of another size": (StepScale(Array(np.ones((2, 4)))), TensorType((T, B, 3))),
    "weights by step that reach the batch": (
        StepScale(Array(np.ones((2, 5, 3)))),
        TensorType((T, B, 3)),
    ),
    "weights by step and time": (StepScale(Array(np.ones((2, 1)))), TensorType((T,))),
    "weights that are not finite": (StepScale(Array([np.inf])), TensorType((T, B))),
    "mixed steps of the batch": (TimeMix(Array(np.ones((2, 2))), -1), TensorType((T, B))),
    "windows of 6 of a batch": (TimeMix(Array(np.ones((3, 6))), -2), TensorType((B, 4))),
    "a list as mixing weight": (TimeMix(Array(np.ones(2)), -2), TensorType((T, B))),
    "no weights": (PhaseScale(Array(np.zeros(0))), TensorType((T, B))),
    "wavelet of the batch": (Haar(-2), TensorType((T, B, 3))),
    "wavelet of time and batch": (Haar(-2), TensorType((T * B, 3))),
    "wavelet of integers": (Haar(-1), TensorType((T, 4), DType.I32)),
    "wavelet of no axis": (Haar(-4), TensorType((T, B, 4))),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_parameters_are_refused(name: str) -> None:
    op, x = WRONG[name]
    with pytest.raises(TypeMismatch):
        op.infer((x,))


def test_bands_of_different_sizes_are_refused() -> None:
    with pytest.raises(TypeMismatch, match="equal sizes"):
        HaarInverse(-1).infer((TensorType((T, 4)), TensorType((T, 3))))
