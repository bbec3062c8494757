"""quantise-input: a grid of powers of two, from the data's range, the same for every tool."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikec.errors import UsageError
from spikec.ir import Graph, ops
from spikec.pipeline import Context
from spikec.runtime import run
from tests.passes.conftest import Golden
from tests.passes.helpers import applied, mlp
from tests.pipeline.kinds_of_nets import two_inputs


def rounded(graph: Graph, data: np.ndarray, bits: int = 8) -> tuple[Graph, ops.Quantise]:
    after = applied(f"quantise-input{{bits={bits}}}", graph, Context(calibration={"x": data}))
    op = after["x_rounded"].op
    assert isinstance(op, ops.Quantise)
    return after, op


@given(
    seed=st.integers(0, 10**6),
    bits=st.integers(2, 12),
    scale=st.floats(1e-6, 1e6),
    signed=st.booleans(),
)
def test_no_sample_is_off_by_more_than_half_a_step_or_a_step_at_the_end(
    seed: int, bits: int, scale: float, signed: bool
) -> None:
    rng = np.random.default_rng(seed)
    x = (scale * rng.uniform(-1 if signed else 0, 1, (20, 3))).astype(np.float32)
    _, op = rounded(mlp(3, 2), x, bits)
    step = float(op.step.data)
    assert np.frexp(step)[0] == 0.5
    assert (op.low < 0) is bool(x.min() < 0)
    assert op.high - op.low == 2**bits - 1
    (found,) = op.run((x,), None)  # type: ignore[arg-type]  # elementwise: no sizes
    end = np.abs(np.round(x / step)) > op.high
    assert (np.abs(found - x) <= np.where(end, step, step / 2)).all()
    half = op.step.data / 2
    reach = np.where(x > 0, x / (op.high + 1), x / op.low if op.low else 0).max()
    assert reach > half  # no smaller power of two would do


def test_single_and_double_precision_round_to_the_same_numbers() -> None:
    x = np.random.default_rng(0).normal(size=(500, 4)).astype(np.float32)
    graph, _ = rounded(mlp(4, 1), x)
    op = graph["x_rounded"].op
    single, double = (op.run((x.astype(kind),), None)[0] for kind in ("f4", "f8"))  # type: ignore[arg-type]
    np.testing.assert_array_equal(single, double)


def test_images_of_8_bits_stay_as_they_are() -> None:
    pixels = np.arange(256, dtype=np.float32).reshape(64, 4)
    graph, op = rounded(mlp(4, 3), pixels)
    assert (float(op.step.data), op.low, op.high) == (1.0, 0, 255)
    np.testing.assert_array_equal(run(graph, pixels), run(mlp(4, 3), pixels))


def test_each_input_has_its_own_grid() -> None:
    graph = two_inputs()
    data = {"x": np.full((2, 4), 3.0, np.float32), "z": np.full((2, 3), -0.1, np.float32)}
    context = Context(calibration=data)
    after = applied("quantise-input", graph, context)
    steps = {name: float(after[f"{name}_rounded"].op.arrays["step"].data) for name in data}
    assert steps == {"x": 2**-6, "z": 2**-10}
    assert context.record["quantise-input"]["z"] == {"step": 2**-10, "low": -128, "high": 127}


def test_without_data_or_with_a_wrong_step_there_is_a_remedy() -> None:
    with pytest.raises(UsageError, match="needs calibration data") as caught:
        applied("quantise-input", mlp(3, 2))
    assert "step=" in caught.value.remedy
    for wrong in ("0.1", "-1", "0", "nan", "inf"):
        with pytest.raises(UsageError, match="step = "):
            applied(f"quantise-input{{step={wrong}}}", mlp(3, 2))


def test_golden(golden: Golden) -> None:
    graph = mlp(2, 3, 2, dyadic=True)
    golden("quantise_input", graph, applied("quantise-input{bits=4,step=0.25}", graph))
