"""Fitted few-spikes neurons stand for their functions, as far as they say."""

from __future__ import annotations

import numpy as np
import pytest

from spikec.errors import UsageError
from spikec.ir import B, Editor, Graph, Stage, TensorType, ops
from spikec.ir.ops.few_spikes import FITTED, FUNCTIONS, RANGE, error_of, fitted
from spikec.runtime import run

EACH = pytest.mark.parametrize(("function", "bits"), FITTED)
ERRORS = {
    ("silu", 8): 0.116,
    ("silu", 16): 0.056,
    ("gelu", 8): 0.097,
    ("gelu", 16): 0.041,
    ("sigmoid", 8): 0.022,
    ("sigmoid", 16): 0.012,
}
"""at most, as docs/results.md says"""


def network(function: str, bits: int) -> Graph:
    """A current, the neuron, and the sum of what its receivers make of its events."""
    neuron, weights = fitted(function, bits)
    edit = Editor(Graph("one", Stage.SPIKING), by="test")
    x = edit.add(ops.Impulse(1), edit.input("x", TensorType((B, 1))))
    y = edit.add(weights, edit.add(neuron, x))
    edit.output("y", edit.add(ops.SumOverTime(-3), y))
    return edit.graph


@EACH
@pytest.mark.parametrize("engine", ["reference", "layerwise"])
def test_a_neuron_computes_its_function(function: str, bits: int, engine: str) -> None:
    x = np.linspace(-RANGE, RANGE, 2001)
    y = run(network(function, bits), x[:, None], engine, steps=2 * bits, dtype="float64")
    np.testing.assert_allclose(y[:, 0], FITTED[function, bits](x), rtol=1e-12, atol=1e-12)  # type: ignore[call-overload]
    assert np.abs(y[:, 0] - FUNCTIONS[function](x)).max() <= ERRORS[function, bits]  # type: ignore[call-overload]


@EACH
def test_its_error_is_what_is_said(function: str, bits: int) -> None:
    assert error_of(function, bits) <= ERRORS[function, bits]
    assert error_of(function, bits) > 0.9 * ERRORS[function, bits]


def test_more_bits_err_less() -> None:
    for function in FUNCTIONS:
        assert error_of(function, 16) < 0.6 * error_of(function, 8)


def test_others_are_refused() -> None:
    with pytest.raises(UsageError, match="silu with 8 bits"):
        fitted("silu", 7)
    with pytest.raises(UsageError, match="no coefficients for 'tanh'"):
        fitted("tanh", 8)
