"""Neurons do what NIR's equations say, in steps of the given length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nir
import numpy as np
import pytest

from spikec.errors import UnsupportedModel, UsageError
from spikec.ir import Graph, ops
from spikec.ir.ops import Comparison, IntegrateFire, Leak, Reset
from tests.frontends.nir_graph.nets import (
    SIZE,
    Numbers,
    chain,
    currents,
    fired,
    graph,
    imported,
    outputs,
    stepped,
    uniform,
)

DT = 0.125
TAU, R = uniform(1, SIZE, low=0.3, high=2), uniform(2, SIZE, low=0.5, high=2)
LEAK, THRESHOLD = uniform(3, SIZE, low=-0.2, high=0.2), uniform(4, SIZE, low=0.2, high=0.4)
RESET = uniform(5, SIZE, low=-0.1, high=0.1)
TAU_SYN, WEIGHT = uniform(6, SIZE, low=0.2, high=0.5), uniform(7, SIZE, low=1, high=2)

Step = Callable[[Numbers, Numbers], tuple[Numbers, Numbers]]


def decayed(v: Numbers, x: Numbers, *, exact: bool = False) -> Numbers:
    keep = np.exp(-DT / TAU) if exact else 1 - DT / TAU
    return np.asarray(LEAK + keep * (v - LEAK) + R * (1 - keep) * x)


def same(found: Graph, expected: Numbers, x: Numbers, *, spikes: bool) -> None:
    """Compare events exactly, and potentials to the rounding of float32."""
    for engine in ("reference", "layerwise"):
        result = outputs(found, x, engine=engine)
        if spikes:
            assert 0.02 < expected.mean() < 0.98
            np.testing.assert_array_equal(result, expected)
        else:
            np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("exact", [False, True])
def test_leaky_integrators(exact: bool) -> None:
    x = currents()
    found = imported(chain(nir.LI(TAU, R, LEAK)), dt=DT, method="exact" if exact else "euler")
    expected = stepped(x, lambda v, i: (decayed(v, i, exact=exact),) * 2)
    same(found, expected, x, spikes=False)


def test_integrators_that_never_forget() -> None:
    x = currents()
    expected = stepped(x, lambda v, i: (v + R * DT * i,) * 2)
    same(imported(chain(nir.I(R)), dt=DT), expected, x, spikes=False)


@pytest.mark.parametrize("reset", ["subtract", "v_reset"])
@pytest.mark.parametrize("exact", [False, True])
def test_leaky_neurons(reset: str, exact: bool) -> None:
    x = 4 * currents()
    node = nir.LIF(TAU, R, LEAK, THRESHOLD, RESET)
    method = "exact" if exact else "euler"
    found = imported(chain(node), dt=DT, reset=reset, method=method)
    to = None if reset == "subtract" else RESET

    def step(v: Numbers, i: Numbers) -> tuple[Numbers, Numbers]:
        return fired(decayed(v, i, exact=exact), THRESHOLD, to)

    same(found, stepped(x, step), x, spikes=True)


@pytest.mark.parametrize("reset", ["subtract", "v_reset"])
def test_neurons_without_leak(reset: str) -> None:
    x = currents()
    found = imported(chain(nir.IF(R, THRESHOLD, RESET)), dt=DT, reset=reset)
    to = None if reset == "subtract" else RESET
    expected = stepped(x, lambda v, i: fired(v + R * DT * i, THRESHOLD, to))
    same(found, expected, x, spikes=True)


@pytest.mark.parametrize("spiking", [False, True])
def test_neurons_with_synaptic_currents(spiking: bool) -> None:
    x = 4 * currents()
    current = stepped(x, lambda i, s: ((1 - DT / TAU_SYN) * i + WEIGHT * DT / TAU_SYN * s,) * 2)
    if spiking:
        node = nir.CubaLIF(TAU_SYN, TAU, R, LEAK, THRESHOLD, RESET, WEIGHT)
        expected = stepped(current, lambda v, i: fired(decayed(v, i), THRESHOLD, RESET))
    else:
        node = nir.CubaLI(TAU_SYN, TAU, R, LEAK, WEIGHT)
        expected = stepped(current, lambda v, i: (decayed(v, i),) * 2)
    same(imported(chain(node), dt=DT), expected, x, spikes=spiking)


def test_a_synapse_of_one_step_is_none() -> None:
    full = np.full(SIZE, DT, np.float32)
    node = nir.CubaLIF(full, TAU, R, LEAK, THRESHOLD, RESET, 1.0)
    found = imported(chain(node), dt=DT)
    assert not any(isinstance(n.op, ops.Accumulator) for n in found)
    x = 4 * currents()
    expected = stepped(x, lambda v, i: fired(decayed(v, i), THRESHOLD, RESET))
    same(found, expected, x, spikes=True)


def neuron(found: Graph) -> IntegrateFire:
    (op,) = (n.op for n in found if isinstance(n.op, IntegrateFire))
    return op


def lif(**fields: Any) -> Any:
    given = {"tau": TAU, "r": R, "v_leak": LEAK, "v_threshold": THRESHOLD, **fields}
    return nir.LIF(**given)


def test_a_resistance_of_1_is_a_decaying_input() -> None:
    op = neuron(imported(chain(lif(r=np.ones(SIZE, np.float32))), dt=DT))
    assert op.leak is Leak.DECAY_INPUT
    assert op.leak_constant is not None
    np.testing.assert_allclose(op.leak_constant.data, TAU / DT, rtol=1e-6)


def test_a_time_constant_without_end_is_no_leak() -> None:
    tau = np.full(SIZE, 2.0**60)
    found = imported(chain(lif(tau=tau, r=tau / DT, v_leak=np.zeros(SIZE))), dt=DT)
    assert neuron(found).leak is Leak.NONE
    assert [type(n.op).__name__ for n in found] == ["Input", "IntegrateFire", "Output"]


@pytest.mark.parametrize("gain", ["unit-if", "unit"])
def test_a_unit_gain_adds_currents_as_they_are(gain: str) -> None:
    x = currents()
    found = imported(chain(nir.IF(R, THRESHOLD)), gain=gain)
    same(found, stepped(x, lambda v, i: fired(v + i, THRESHOLD, RESET * 0)), x, spikes=True)


def test_a_unit_gain_of_leaky_neurons_is_asked_for_apart() -> None:
    x = currents()
    keep = 1 - DT / TAU
    plain, unit = (
        imported(chain(nir.LI(TAU, R, LEAK)), dt=DT, gain=g) for g in ("unit-if", "unit")
    )
    same(plain, stepped(x, lambda v, i: (decayed(v, i),) * 2), x, spikes=False)
    expected = stepped(x, lambda v, i: (LEAK + keep * (v - LEAK) + i,) * 2)
    same(unit, expected, x, spikes=False)


@pytest.mark.parametrize(("start", "v0"), [("zero", None), ("v_reset", RESET), ("v_leak", LEAK)])
def test_where_potentials_begin(start: str, v0: Numbers | None) -> None:
    op = neuron(imported(chain(lif(v_reset=RESET)), dt=DT, start=start))
    if v0 is None:
        assert op.v0 is None
    else:
        assert op.v0 is not None
        np.testing.assert_array_equal(op.v0.data, v0)


def test_metadata_say_what_nir_has_no_fields_for() -> None:
    told = {"reset": "subtract", "comparison": ">=", "v_init": THRESHOLD / 2}
    op = neuron(imported(chain(lif(metadata=told)), dt=DT))
    assert (op.reset, op.comparison) == (Reset.SOFT, Comparison.AT_LEAST)
    assert op.v0 is not None
    np.testing.assert_array_equal(op.v0.data, THRESHOLD / 2)
    plain = neuron(imported(chain(lif()), dt=DT))
    assert (plain.reset, plain.comparison) == (Reset.HARD, Comparison.ABOVE)


def test_options_go_before_metadata() -> None:
    told = {"reset": "subtract", "comparison": ">="}
    op = neuron(imported(chain(lif(metadata=told)), dt=DT, reset="v_reset", comparison=">"))
    assert (op.reset, op.comparison) == (Reset.HARD, Comparison.ABOVE)


def test_several_spikes_per_step() -> None:
    x = 20 * np.abs(currents())
    found = imported(chain(nir.IF(R, THRESHOLD)), dt=DT, reset="subtract", levels=4)

    def step(v: Numbers, i: Numbers) -> tuple[Numbers, Numbers]:
        h = v + R * DT * i
        n = np.clip(np.ceil(h / THRESHOLD) - 1, 0, 4)
        return h - n * THRESHOLD, n

    expected = stepped(x, step)
    assert expected.max() == 4
    np.testing.assert_array_equal(outputs(found, x), expected)


def test_the_step_stands_in_the_files_metadata() -> None:
    ends = {"input": nir.Input(np.array([SIZE])), "output": nir.Output(np.array([SIZE]))}
    source = graph({**ends, "a": lif()}, [("input", "a"), ("a", "output")], dt=DT)
    assert neuron(imported(source)) == neuron(imported(chain(lif()), dt=DT))
    assert imported(source).notes["dt"] == "0.125"


@pytest.mark.parametrize(
    ("node", "options", "told"),
    [
        (lif(), {}, "without a step"),
        (nir.IF(R, THRESHOLD), {}, "without a step"),
        (lif(), {"dt": 10.0}, "Euler steps would overshoot"),
        (lif(tau=-TAU), {"dt": DT}, "tau = -"),
        (lif(v_threshold=THRESHOLD * 0), {"dt": DT}, "v_threshold = 0"),
        (lif(), {"dt": DT, "levels": 2}, "several spikes per step"),
        (lif(metadata={"reset": "maybe"}), {"dt": DT}, "reset = 'maybe'"),
        (lif(metadata={"comparison": "<"}), {"dt": DT}, "comparison = '<'"),
        (lif(metadata={"v_init": np.zeros(3)}), {"dt": DT}, "v_init"),
        (lif(tau=TAU * np.nan), {"dt": DT}, "NaN"),
    ],
)
def test_what_has_no_meaning_is_refused(node: Any, options: dict[str, Any], told: str) -> None:
    with pytest.raises(UnsupportedModel) as caught:
        imported(chain(node), **options)
    (problem,) = caught.value.problems
    assert told in problem.what
    assert problem.where == "NIR node n0"


@pytest.mark.parametrize(
    "options",
    [
        {"dt": 0},
        {"dt": float("inf")},
        {"dt": "1"},
        {"method": "heun"},
        {"reset": "hard"},
        {"comparison": "="},
        {"start": "threshold"},
        {"gain": "none"},
        {"levels": 0},
        {"levels": True},
        {"example_input": np.zeros(3)},
    ],
)
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        imported(chain(nir.IF(R, THRESHOLD)), **options)
