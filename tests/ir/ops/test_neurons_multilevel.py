"""Neurons with a tracer, several thresholds, windows or deltas, against scalar simulations."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikec.errors import TypeMismatch
from spikec.ir import Array, B, Code, Sizes, Spikes, T, TensorType
from spikec.ir.ops import (
    BipolarIF,
    Differential,
    FewSpikes,
    Firing,
    MultiThreshold,
    Negative,
    Neuron,
    PhasedFire,
    SigmaDelta,
)
from tests.ir.ops.scalar_neuron import Scalar, dtypes, scalars, seeds
from tests.ir.ops.scans import currents, over_time

A = Array
THETA = np.array([0.5, 0.8, 1.3], np.float32)


def st_bif(
    column: list[Scalar], s: Scalar, bounds: tuple[int, int], m: int, q: Scalar
) -> list[Scalar]:
    """Send up to m quanta of either sign, within the tracer's bounds."""
    low, high = bounds
    number, traced, events = type(s), 0, []
    for x in column:
        q = q + x
        e = 0
        if q >= 0:
            while e < m and traced + e < high and q / s >= e + 1:
                e += 1
        else:
            while -e < m and traced + e > low and q / s < e:
                e -= 1
        q = q - s * number(e)
        traced += e
        events.append(s * number(e))
    return events


@given(
    seed=seeds, m=st.integers(1, 4), high=st.integers(1, 9), low=st.integers(-5, 0), dtype=dtypes
)
def test_bipolar_is_its_equation(seed: int, m: int, high: int, low: int, dtype: str) -> None:
    x = currents(seed, steps=14)
    number = np.dtype(dtype).type

    def one(column: list[Scalar], place: tuple[int, ...]) -> list[Scalar]:
        s = number(THETA[place[-1]])
        return st_bif(column, s, (low, high), m, number(0.25))

    op = BipolarIF(A(THETA), high, low, m, A(0.25))
    np.testing.assert_array_equal(over_time(op, x, dtype), scalars(one, x, dtype))


@given(seed=seeds, m=st.integers(1, 15), low=st.sampled_from([0, -15]))
def test_bipolar_settles_to_the_quantiser_whatever_the_order(seed: int, m: int, low: int) -> None:
    random = np.random.default_rng(seed)
    s = 2 * random.integers(2, 50, 3) + 1  # odd: halves do not occur
    op = BipolarIF(A(s.astype(np.int64)), 15, low, m, A(s // 2))
    charge = random.integers(-400, 400, (8, 2, 3))
    expected = s * np.clip(np.round(charge.sum(0) / s), low, 15).astype(np.int64)
    quiet = np.zeros((60, 2, 3), np.int64)
    for order in (np.arange(8), random.permutation(8)):
        y = over_time(op, np.concatenate([charge[order], quiet]))
        np.testing.assert_array_equal(y.sum(0), expected)
        np.testing.assert_array_equal(y[-1], 0)


def greedy(column: list[Scalar], lambdas: list[Scalar], v: Scalar, only_one: bool) -> list[Scalar]:
    """Fire each threshold that is reached, the largest first."""
    values = []
    for x in column:
        v = v + x
        sent = type(v)(0)
        for level in lambdas:
            if v >= level and not (only_one and sent > 0):
                v = v - level
                sent = sent + level
        values.append(sent)
    return values


@given(seed=seeds, count=st.integers(1, 6), firing=st.sampled_from(Firing), dtype=dtypes)
def test_multi_threshold_fires_greedily(seed: int, count: int, firing: Firing, dtype: str) -> None:
    x = np.round(currents(seed, steps=10, shift=0.4) * 128) / 128
    number = np.dtype(dtype).type
    lambdas = [number(0.75 / 2**i) for i in range(count)]

    def one(column: list[Scalar], _: tuple[int, ...]) -> list[Scalar]:
        return greedy(column, lambdas, lambdas[-1] / 2, firing is Firing.LARGEST)

    op = MultiThreshold(A(0.75), count, A(0.375 / 2 ** (count - 1)), firing)
    np.testing.assert_array_equal(over_time(op, x, dtype), scalars(one, x, dtype))


@given(seed=seeds, count=st.integers(1, 8), steps=st.integers(1, 8))
def test_multi_threshold_has_the_published_response(seed: int, count: int, steps: int) -> None:
    z = np.round(currents(seed, 1, (3, 9)) * 256) / 256
    least = 1.0 / 2 ** (count - 1)
    op = MultiThreshold(A(1.0), count, A(least / 2))
    y = over_time(op, np.repeat(z, steps, 0)).mean(0)
    most = (2**count - 1) * steps
    phi = least / steps * np.clip(np.floor(z[0] * steps / least + 0.5), 0, most)
    np.testing.assert_allclose(y, phi, rtol=1e-15)


def test_multi_threshold_takes_back_no_more_than_it_sent() -> None:
    x = currents(1, steps=30)
    sent = over_time(MultiThreshold(A(1.0), 4, negative=Negative.MEMORY), x).cumsum(0)
    assert sent.min() == 0
    free = over_time(MultiThreshold(A(1.0), 4, negative=Negative.FREE), x).cumsum(0)
    assert free.min() < 0


def differential(column: list[Scalar], op: Differential, theta: Scalar, v0: Scalar) -> list[Scalar]:
    """A rate-coded neuron of the decoded means, sending only corrections."""
    number = type(theta)
    w, r, m, events = v0, number(0), number(0), []
    for t, x in enumerate(column, start=1):
        w = w + (x + r - m)
        y = number(0)
        for k in range(op.count):
            level = theta * number(0.5**k)
            if w >= number(op.margin) * level:
                y = level
                break
            if w <= -number(op.negative_margin) * level and (
                not op.rectify or m * number(t) >= level
            ):
                y = -level
                break
        w, r, m = w - y, r + x / number(t), m + y / number(t)
        events.append(y)
    return events


@given(
    seed=seeds,
    count=st.integers(1, 5),
    rectify=st.booleans(),
    margins=st.sampled_from([(0.75, 0.75), (1.0, 0.0)]),
    dtype=dtypes,
)
def test_differential_is_its_equation(
    seed: int, count: int, rectify: bool, margins: tuple[float, float], dtype: str
) -> None:
    x = currents(seed, steps=12)
    number = np.dtype(dtype).type
    op = Differential(A(THETA), count, A(0.25), *margins, rectify)

    def one(column: list[Scalar], place: tuple[int, ...]) -> list[Scalar]:
        return differential(column, op, number(THETA[place[-1]]), number(0.25))

    np.testing.assert_array_equal(over_time(op, x, dtype), scalars(one, x, dtype))


def test_differential_decodes_to_the_input_ever_better() -> None:
    z = np.linspace(0, 1, 50).reshape(1, 1, 50)
    x = np.concatenate([z, np.zeros((31, 1, 50))])  # the value comes once
    y = over_time(Differential(A(1.0), 4), x)
    decoded = (y / np.arange(1, 33).reshape(-1, 1, 1)).cumsum(0)
    error = [float(np.abs(decoded[t - 1] - z[0]).max()) for t in (1, 4, 16, 32)]
    assert error[3] < error[2] < error[1] < error[0]
    assert error[3] < 0.02
    assert np.count_nonzero(y[16:]) < np.count_nonzero(y[:16])


@given(seed=seeds)
def test_rectified_differential_never_decodes_below_zero(seed: int) -> None:
    y = over_time(Differential(A(1.0), 4), currents(seed, steps=20))
    decoded = (y / np.arange(1, 21).reshape(-1, 1, 1)).cumsum(0)
    assert decoded.min() >= -1e-12


@given(seed=seeds, window=st.integers(1, 7), levels=st.integers(1, 3), dtype=dtypes)
def test_phased_windows_quantise_however_the_input_is_spread(
    seed: int, window: int, levels: int, dtype: str
) -> None:
    x = np.round(currents(seed, steps=3 * window, shift=0.3) * 64) / 64
    y = over_time(PhasedFire(A(0.75), window, levels, A(0.375)), x, dtype)
    assert not y[:window].any()
    for w in (1, 2):
        charge = x[(w - 1) * window : w * window].sum(0)
        expected = 0.75 * np.clip(np.floor((0.375 + charge) / 0.75), 0, window * levels)
        np.testing.assert_array_equal(y[w * window : (w + 1) * window].sum(0), expected)


@given(seed=seeds, bits=st.integers(1, 10), dtype=dtypes)
def test_few_spikes_are_the_binary_expansion(seed: int, bits: int, dtype: str) -> None:
    x = np.round(currents(seed, steps=2 * bits, shift=0.1) * 64) / 64
    alpha = np.array([1.0, 2.0, 4.0])
    y = over_time(FewSpikes.binary(A(alpha), bits), x, dtype)
    assert not y[:bits].any()
    total = x[:bits].sum(0)
    digits = np.clip(np.floor(total / alpha * 2**bits), 0, 2**bits - 1).astype(int)
    for p in range(bits):
        np.testing.assert_array_equal(y[bits + p], alpha * (digits >> (bits - 1 - p) & 1))


def test_fitted_few_spikes_are_their_equation() -> None:
    random = np.random.default_rng(4)
    h, d = random.uniform(-1, 1, (2, 5))
    x = currents(2, steps=10, scale=0.5)
    y = over_time(FewSpikes(A(1.5), A(h), A(d), A(0.125)), x)
    v = x[:5].sum(0) + 0.125
    for p in range(5):
        z = v >= 1.5 * h[p]
        v = v - 1.5 * d[p] * z
        np.testing.assert_array_equal(y[5 + p], 1.5 * z)
    assert not y[:5].any()


@given(seed=seeds, low=st.sampled_from([0, -7]), dtype=dtypes)
def test_sigma_delta_sums_to_the_quantised_activation(seed: int, low: int, dtype: str) -> None:
    x = np.round(currents(seed, steps=12) * 64) / 64
    y = over_time(SigmaDelta(A(0.25), 7, low), x, dtype)
    expected = 0.25 * np.clip(np.floor(x.cumsum(0) / 0.25 + 0.5), low, 7)
    np.testing.assert_array_equal(y.cumsum(0), expected)


def test_sigma_delta_sends_its_amplitude_for_each_quantum() -> None:
    x = currents(3, steps=12)
    plain = over_time(SigmaDelta(A(0.25), 7, -7), x)
    np.testing.assert_array_equal(
        over_time(SigmaDelta(A(0.25), 7, -7, amplitude=A(2)), x), 8 * plain
    )


def test_sigma_delta_is_silent_inside_the_deadband() -> None:
    x = np.array([1.0, 0.2, 0.2, 0.2, -0.6, 0.0]).reshape(6, 1, 1)
    y = over_time(SigmaDelta(A(0.1), 100, deadband=4), x)
    assert np.round(y.ravel(), 6).tolist() == [1.0, 0.0, 0.4, 0.0, -0.4, 0.0]


def test_sigma_delta_in_integers() -> None:
    random = np.random.default_rng(0)
    x = random.integers(-500, 500, (20, 2, 3)).astype(np.int64)
    y = over_time(SigmaDelta(A(np.int64(37)), 15), x)
    assert y.dtype == np.int64
    rounded = np.array([[math.floor(v / 37 + 0.5) for v in row] for row in x.sum(0)])
    np.testing.assert_array_equal(y.sum(0), 37 * np.clip(rounded, 0, 15))


OPS: list[tuple[Neuron, bool, int, Code]] = [
    (BipolarIF(A(0.5), 9, levels=3), True, 3, Code.SUM),
    (MultiThreshold(A(0.5), 3), False, 7, Code.RATE),
    (MultiThreshold(A(0.5), 3, firing=Firing.LARGEST), False, 4, Code.RATE),
    (MultiThreshold(A(0.5), 3, negative=Negative.FREE), True, 7, Code.RATE),
    (Differential(A(0.5), 3), True, 4, Code.DIFFERENTIAL),
    (PhasedFire(A(0.5), 4, 2), False, 2, Code.PHASED),
    (FewSpikes.binary(A(0.5), 4), False, 1, Code.FEW_SPIKES),
    (SigmaDelta(A(0.5), 7, -7), True, 14, Code.DELTA),
]


@pytest.mark.parametrize("case", OPS, ids=lambda case: type(case[0]).__name__)
def test_the_type_says_what_is_sent(case: tuple[Neuron, bool, int, Code]) -> None:
    op, signed, levels, code = case
    (y,) = op.infer((TensorType((T, B, 3)),))
    assert isinstance(y.signal, Spikes)
    assert (y.signal.signed, y.signal.levels, y.signal.code) == (signed, levels, code)
    x = currents(1, steps=24, scale=2)
    k = over_time(op, x) / y.signal.amplitude.data
    np.testing.assert_array_equal(k, np.round(k))
    assert 0 < np.abs(k).max() <= levels
    assert (k.min() < 0) == signed


@pytest.mark.parametrize("case", OPS, ids=lambda case: type(case[0]).__name__)
@pytest.mark.parametrize("dims", [(T, B, 3), (T * B, 3), (B, T / 2, 3)])
def test_states_have_the_shape_of_one_step(
    case: tuple[Neuron, bool, int, Code], dims: tuple[Any, ...]
) -> None:
    x = TensorType(dims)
    sizes = Sizes(batch=5, steps=x.rate.denominator)
    state = case[0].initial((x,), sizes, np.dtype(np.float32))
    assert {(part.shape, part.dtype) for part in state} == {(x.shape(sizes), np.dtype("f4"))}


@pytest.mark.parametrize("case", OPS, ids=lambda case: type(case[0]).__name__)
def test_samples_of_a_batch_do_not_meet(case: tuple[Neuron, bool, int, Code]) -> None:
    x = currents(9, steps=8, shape=(4, 3))
    apart = [over_time(case[0], x[:, i : i + 1]) for i in range(4)]
    np.testing.assert_array_equal(over_time(case[0], x), np.concatenate(apart, 1))


WRONG: dict[str, tuple[Neuron, str]] = {
    "empty tracer": (BipolarIF(A(1.0), 0), "bounds"),
    "tracer above 0": (BipolarIF(A(1.0), 5, 1), "bounds"),
    "no threshold": (MultiThreshold(A(1.0), 0), "levels"),
    "too many": (Differential(A(1.0), 40), "thresholds"),
    "margin": (Differential(A(1.0), 3, margin=1.5), "margins"),
    "window": (PhasedFire(A(1.0), 0), "window"),
    "tables": (FewSpikes(A(1.0), A([0.5, 0.25]), A([0.5])), "decrements"),
    "deadband": (SigmaDelta(A(1.0), 7, deadband=0), "deadband"),
    "step": (SigmaDelta(A(-1.0), 7), "above 0"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_parameters_are_refused(name: str) -> None:
    op, word = WRONG[name]
    with pytest.raises(TypeMismatch, match=word):
        op.infer((TensorType((T, B, 3)),))


def test_multi_threshold_sends_its_quanta_as_the_amplitude() -> None:
    x = np.array([[0.7], [2.6], [9.0]], np.float32)
    plain, counting = MultiThreshold(A(2.0), 2), MultiThreshold(A(2.0), 2, amplitude=A(1.0))
    np.testing.assert_array_equal(over_time(plain, x), [[0.0], [3.0], [3.0]])
    np.testing.assert_array_equal(over_time(counting, x), [[0.0], [3.0], [3.0]])
    halves = MultiThreshold(A(4.0), 2, amplitude=A(0.5))
    np.testing.assert_array_equal(over_time(halves, x), [[0.0], [0.5], [1.5]])
