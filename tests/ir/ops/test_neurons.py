"""Each neuron against its equation, written out for one scalar; and what neurons promise."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spikec.errors import TypeMismatch
from spikec.ir import Array, B, Code, DType, Sizes, Spikes, T, TensorType, Timing
from spikec.ir.ops import (
    OPS,
    Accumulator,
    Comparison,
    Decision,
    IntegrateFire,
    Leak,
    Negative,
    Neuron,
    Reset,
)
from tests.ir.ops.scalar_neuron import Scalar, dtypes, neurons, scalar_neuron, scalars, seeds
from tests.ir.ops.scans import Numbers, currents, over_time

A = Array


@settings(max_examples=300)
@given(op=neurons(), seed=seeds, dtype=dtypes)
def test_integrate_fire_is_its_equation(op: IntegrateFire, seed: int, dtype: str) -> None:
    x = currents(seed, steps=12, shift=0.3)
    number = np.dtype(dtype).type

    def one(column: list[Scalar], place: tuple[int, ...]) -> list[Scalar]:
        neuron = scalar_neuron(op, place[-1], number)
        size = op.threshold if op.amplitude is None else op.amplitude
        amplitude = number(np.broadcast_to(size.data, 3)[place[-1]])
        return [number(neuron.step(current)) * amplitude for current in column]

    y = over_time(op, x, dtype)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, scalars(one, x, dtype))


@given(seed=seeds, levels=st.integers(1, 5), negative=st.sampled_from(Negative), dtype=dtypes)
def test_soft_reset_loses_no_charge(seed: int, levels: int, negative: Negative, dtype: str) -> None:
    x = np.round(currents(seed, steps=20, shift=0.2) * 64) / 64  # sums are exact
    op = IntegrateFire(A(1.25), levels=levels, v0=A(0.5), negative=negative)
    y = over_time(op, x, dtype)
    v, *_ = potentials(op, x.astype(dtype))
    np.testing.assert_array_equal(y.sum(0) + v, 0.5 + x.sum(0))


def potentials(op: IntegrateFire, x: Numbers) -> tuple[Numbers, ...]:
    """Give the state after the last step."""
    declared = TensorType((T, B, *x.shape[2:]))
    state = op.initial((declared,), Sizes(batch=x.shape[1]), x.dtype)
    for time in range(1, len(x) + 1):
        state, _ = op.step(state, (x[time - 1 : time],), time)
    return tuple(part[0] for part in state)


@given(seed=seeds, steps=st.integers(1, 12), levels=st.integers(1, 3), dtype=dtypes)
def test_a_constant_current_gives_the_quantiser_of_t_levels(
    seed: int, steps: int, levels: int, dtype: str
) -> None:
    z = np.round(currents(seed, 1, (4, 8)) * 256) / 256
    theta = 0.75
    op = IntegrateFire(A(theta), levels=levels, v0=A(theta / 2))
    y = over_time(op, np.repeat(z, steps, 0), dtype)
    most = levels * steps
    expected = theta * np.clip(np.floor(z[0] * steps / theta + 0.5), 0, most)
    np.testing.assert_array_equal(y.sum(0), expected)


@given(seed=seeds)
def test_burst_of_m_levels_is_one_step_of_a_clipped_floor(seed: int) -> None:
    z = currents(seed, 1, (4, 8), scale=3)
    y = over_time(IntegrateFire(A(0.5), levels=5), z)
    np.testing.assert_array_equal(y, 0.5 * np.clip(np.floor(z / 0.5), 0, 5))


def dct_snn_lif(x: list[Scalar], theta: Scalar, leak: Scalar) -> list[Scalar]:
    """Fire from the membrane of the step before; leak, add, subtract."""
    u, events = type(theta)(0), []
    for current in x:
        fired = type(theta)(1 if u > theta else 0)
        u = leak * u + current - theta * fired
        events.append(fired)
    return events


def dct_snn_algorithm_1(x: list[Scalar], theta: Scalar, leak: Scalar) -> list[Scalar]:
    """Add; fire and subtract, or else leak."""
    u, events = type(theta)(0), []
    for current in x:
        u = u + current
        if u > theta:
            u, fired = u - theta, 1
        else:
            u, fired = leak * u, 0
        events.append(type(theta)(fired))
    return events


def hard_lif(x: list[Scalar], tau: Scalar, theta: Scalar) -> list[Scalar]:
    """Low-pass the input too; reset to 0."""
    v, events = type(theta)(0), []
    for current in x:
        h = v + (current - v) / tau
        fired = h >= theta
        v = type(theta)(0) if fired else h
        events.append(type(theta)(fired))
    return events


def hard_lif_without_input_decay(x: list[Scalar], keep: Scalar, theta: Scalar) -> list[Scalar]:
    v, events = type(theta)(0), []
    for current in x:
        h = v * keep + current
        fired = h >= theta
        v = type(theta)(0) if fired else h
        events.append(type(theta)(fired))
    return events


ABOVE, BEFORE = Comparison.ABOVE, Decision.BEFORE_INPUT
SYSTEMS: dict[str, tuple[Callable[[list[Scalar], Any], list[Scalar]], IntegrateFire]] = {
    "dct-snn, its code": (
        lambda x, n: dct_snn_lif(x, n(0.7), n(0.9901)),
        IntegrateFire(
            A(0.7),
            A(1.0),
            leak=Leak.DECAY,
            leak_constant=A(0.9901),
            comparison=ABOVE,
            decision=BEFORE,
        ),
    ),
    "dct-snn, algorithm 1": (
        lambda x, n: dct_snn_algorithm_1(x, n(0.7), n(0.9901)),
        IntegrateFire(A(0.7), A(1.0), leak=Leak.SILENT, leak_constant=A(0.9901), comparison=ABOVE),
    ),
    "spikinghash": (
        lambda x, n: hard_lif(x, n(1.75), n(1.0)),
        IntegrateFire(A(1.0), reset=Reset.HARD, leak=Leak.DECAY_INPUT, leak_constant=A(1.75)),
    ),
    "spikesr": (
        lambda x, n: hard_lif_without_input_decay(x, n(0.5), n(0.15)),
        IntegrateFire(A(0.15), A(1.0), reset=Reset.HARD, leak=Leak.DECAY, leak_constant=A(0.5)),
    ),
}


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_neurons_of_known_systems(name: str, dtype: str) -> None:
    scalar, op = SYSTEMS[name]
    number = np.dtype(dtype).type
    x = currents(7, steps=40, shift=0.3)
    y = over_time(op, x, dtype)
    np.testing.assert_array_equal(y, scalars(lambda column, _: scalar(column, number), x, dtype))
    assert 0 < y.mean() < 1


def test_dct_encoder_fires_ternary_events_at_uneven_thresholds() -> None:
    x = currents(3, steps=48, shift=0.05)
    op = IntegrateFire(
        A(1.2),
        A(1.0),
        negative=Negative.FREE,
        negative_threshold=A(0.9),
        comparison=Comparison.ABOVE,
    )
    m, expected = np.zeros(x.shape[1:]), []
    for frame in x:
        m = m + frame
        s = np.where(m > 1.2, 1.0, np.where(m < -0.9, -1.0, 0.0))
        m = m - np.where(s > 0, 1.2, 0) - np.where(s < 0, -0.9, 0)
        expected.append(s)
    y = over_time(op, x)
    np.testing.assert_array_equal(y, expected)
    assert set(np.unique(y)) == {-1.0, 0.0, 1.0}


@given(seed=seeds, rule=st.sampled_from([Negative.MEMORY, Negative.CORRECTION]))
def test_memory_keeps_what_was_sent_from_falling_below_zero(seed: int, rule: Negative) -> None:
    x = currents(seed, steps=20)
    sent = over_time(IntegrateFire(A(0.5), v0=A(0.25), negative=rule), x).cumsum(0)
    assert (sent >= 0).all()


def test_correction_acts_below_zero_and_memory_at_the_negative_threshold() -> None:
    x = np.array([1.0, -0.25, 0.0, -1.0, 0.0]).reshape(5, 1, 1)
    memory = over_time(IntegrateFire(A(1.0), negative=Negative.MEMORY), x)
    correction = over_time(IntegrateFire(A(1.0), negative=Negative.CORRECTION), x)
    assert memory.ravel().tolist() == [1, 0, 0, -1, 0]
    assert correction.ravel().tolist() == [1, -1, 0, 0, 0]


@given(seed=seeds, leak=st.sampled_from([Leak.NONE, Leak.DECAY, Leak.DECAY_INPUT]), dtype=dtypes)
def test_the_accumulator_gives_its_potential(seed: int, leak: Leak, dtype: str) -> None:
    x = currents(seed, steps=9)
    number = np.dtype(dtype).type
    k, rest, v0 = number(1.5 if leak is Leak.DECAY_INPUT else 0.75), number(0.5), number(0.25)

    def one(column: list[Scalar], _: tuple[int, ...]) -> list[Scalar]:
        v, seen = v0, []
        for current in column:
            if leak is Leak.NONE:
                v = v + current
            elif leak is Leak.DECAY:
                v = rest + k * (v - rest) + current
            else:
                v = v + (current - (v - rest)) / k
            seen.append(v)
        return seen

    leaky = leak is not Leak.NONE
    op = Accumulator(A(v0), leak, A(k) if leaky else None, A(rest) if leaky else None)
    np.testing.assert_array_equal(over_time(op, x, dtype), scalars(one, x, dtype))


@given(op=neurons(), seed=seeds)
def test_samples_of_a_batch_do_not_meet(op: IntegrateFire, seed: int) -> None:
    x = currents(seed, steps=8, shape=(4, 3))
    together = over_time(op, x)
    apart = [over_time(op, x[:, i : i + 1]) for i in range(4)]
    np.testing.assert_array_equal(together, np.concatenate(apart, 1))


def test_integers_stay_integers_and_exact() -> None:
    random = np.random.default_rng(0)
    x = random.integers(-(10**6), 3 * 10**6, (30, 2, 3)).astype(np.int32)
    theta = np.array([999_983, 700_001, 1_500_007], np.int32)
    op = IntegrateFire(A(theta), levels=3, v0=A(theta // 2), negative=Negative.CORRECTION)
    y = over_time(op, x)
    assert y.dtype == np.int32
    v, sent = potentials(op, x)
    np.testing.assert_array_equal(y.sum(0) + v, theta // 2 + x.sum(0))
    np.testing.assert_array_equal(y.sum(0), theta * sent)


@given(op=neurons())
def test_the_type_says_what_is_sent(op: IntegrateFire) -> None:
    (y,) = op.infer((TensorType((T, B, 3)),))
    assert y.dims == (T, B, 3)
    assert isinstance(y.signal, Spikes)
    assert y.signal.amplitude == (op.amplitude or op.threshold)
    assert y.signal.levels == op.levels
    assert y.signal.code is Code.RATE
    assert y.signal.signed == (op.negative is not Negative.NONE)
    x = currents(1, steps=16, scale=2)
    k = over_time(op, x) / y.signal.amplitude.data
    np.testing.assert_array_equal(k, np.round(k))
    assert np.abs(k).max() <= op.levels
    assert y.signal.signed or k.min() >= 0


@pytest.mark.parametrize("dims", [(T, B, 3, 4), (T * B, 3, 4), (B, T, 3, 4), (T / 2, B, 3, 4)])
def test_states_have_the_shape_of_one_step(dims: tuple[Any, ...]) -> None:
    x = TensorType(dims)
    op = IntegrateFire(A(np.ones((3, 1))), negative=Negative.MEMORY)
    sizes = Sizes(batch=5, steps=x.rate.denominator)
    state = op.initial((x,), sizes, np.dtype(np.float32))
    expected = (x.shape(sizes), np.dtype(np.float32))
    assert [(part.shape, part.dtype) for part in state] == [expected] * 2
    assert op.timing((x,)) is Timing.SCAN


X = TensorType((T, B, 3))
WRONG: dict[str, tuple[Neuron, TensorType, str]] = {
    "static operand": (IntegrateFire(A(1.0)), TensorType((B, 3)), "Repeat"),
    "threshold 0": (IntegrateFire(A(0.0)), X, "above 0"),
    "threshold nan": (IntegrateFire(A(math.nan)), X, "NaN"),
    "threshold of another size": (IntegrateFire(A(np.ones(4))), X, "broadcast"),
    "no levels": (IntegrateFire(A(1.0), levels=0), X, "levels"),
    "leak without constant": (IntegrateFire(A(1.0), leak=Leak.DECAY), X, "constant"),
    "constant without leak": (IntegrateFire(A(1.0), leak_constant=A(0.5)), X, "leak"),
    "growing leak": (IntegrateFire(A(1.0), leak=Leak.DECAY, leak_constant=A(1.5)), X, "λ"),
    "τ below 1": (Accumulator(leak=Leak.DECAY_INPUT, leak_constant=A(0.5)), X, "τ"),
    "silent accumulator": (Accumulator(leak=Leak.SILENT, leak_constant=A(0.5)), X, "silent"),
    "reset potential, soft": (IntegrateFire(A(1.0), reset_potential=A(0.0)), X, "soft"),
    "burst, hard": (IntegrateFire(A(1.0), levels=2, reset=Reset.HARD), X, "hard"),
    "one-sided": (IntegrateFire(A(1.0), negative_threshold=A(1.0)), X, "negative"),
    "float beside int": (IntegrateFire(A(1.5)), TensorType((T, B, 3), DType.I32), "integers"),
    "unsigned": (IntegrateFire(A(1)), TensorType((T, B, 3), DType.U8), "signed"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_parameters_are_refused(name: str) -> None:
    op, x, word = WRONG[name]
    with pytest.raises(TypeMismatch, match=word):
        op.infer((x,))


def test_every_option_of_a_neuron_is_data() -> None:
    """Targets compare fields: enums, numbers and arrays, never free text."""
    for op in OPS.values():
        if issubclass(op, Neuron):
            assert "str" not in {f.type for f in dataclasses.fields(op)}, op.__name__


def test_the_numbers_of_an_engine_are_the_numbers_of_the_op() -> None:
    """A neuron inside a graph and its bare step function agree."""
    x: NDArray[Any] = currents(5, steps=6)
    op = IntegrateFire(A(0.6), v0=A(0.3))
    state = op.initial((X,), Sizes(batch=2), np.dtype(np.float64))
    rows = []
    for time in range(1, 7):
        state, (row,) = op.step(state, (x[time - 1 : time],), time)
        rows.append(row)
    np.testing.assert_array_equal(over_time(op, x), np.concatenate(rows))
