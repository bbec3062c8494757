"""A program in whole numbers gives in onnxruntime the same bits as in the runtime."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikec.backends.onnx_graph.models import models_of
from spikec.ir import Sizes
from tests.backends.onnx_graph.running_helpers import outputs_of, stepped
from tests.passes.helpers import calibration
from tests.pipeline.test_exact import RECIPES, small, whole

EACH = pytest.mark.parametrize("recipe", RECIPES)


@EACH
@settings(max_examples=3)
@given(seed=st.integers(0, 10**6))
def test_all_outputs_of_all_steps_are_equal(recipe: str, seed: int) -> None:
    program = whole(small(seed), recipe)
    x = program.inputs(calibration(program.graph, 4, seed))
    model = models_of(program.graph, program.steps, {}, one_step=False).protos["sequence"]
    found = outputs_of(model, x)
    wanted = program.run(x).output_by_step
    first = program.graph.outputs[0].name
    np.testing.assert_array_equal(found[f"{first}_by_step"], wanted)


@EACH
def test_no_event_is_even_a_tie(recipe: str) -> None:
    program = whole(small(3), recipe)
    found = program.verify("onnx_graph", calibration(program.graph, 5, 1))
    assert found.ok, str(found)
    for compared in found.compared:
        assert compared.entries > 0
        assert (compared.unequal, compared.ties) == (0, 0)


@pytest.mark.parametrize("recipe", ["rate", "graded{n=2}"])
def test_step_by_step_equals_the_runtime_bit_for_bit(recipe: str) -> None:
    program = whole(small(2), recipe)
    x = program.inputs(calibration(program.graph, 3, 5))
    models = models_of(program.graph, program.steps, {}, one_step=True).protos
    by_step = stepped(models, program.graph, x, Sizes(3, program.steps))
    first = program.graph.outputs[0].name
    np.testing.assert_array_equal(by_step[first], program.run(x).output_by_step)
