"""Checks of a program that comes to rest wait until it has, however few steps it is made for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import spikec
from spikec.errors import PromiseBroken
from spikec.ir import Editor, Graph, ops
from spikec.pipeline import Context, Pipeline
from spikec.pipeline.recipes import RECIPES
from spikec.registry import pass_by_name
from spikec.runtime import run
from tests.passes.chained_nets import chained_net
from tests.passes.helpers import CANONICAL, applied, calibration, mlp, passes


@pytest.mark.parametrize("steps", [1, 3])
def test_a_program_of_too_few_steps_is_no_defect_and_settles_when_it_runs_on(steps: int) -> None:
    graph = chained_net(5)
    x = calibration(graph)["x"]
    program = spikec.convert(graph, x, steps, "lossless{burst=1}")
    assert program.quantised is not None
    wanted = run(program.quantised, x)
    assert (program.run(x).output != wanted).any()
    np.testing.assert_array_equal(program.run(x, steps=100).output, wanted)


def test_what_never_comes_to_the_promised_result_is_a_defect() -> None:
    graph = mlp(4, 6, 3)
    context = Context(calibration=calibration(graph), steps=2)
    work = applied(
        f"{CANONICAL},thresholds{{levels=7}},whole-numbers,fold-constants", graph, context
    )
    (spike,) = passes("spike-sum{levels=1}")

    class Wrong(type(spike)):  # type: ignore[misc]
        """As the pass, with a last layer that has too few levels."""

        def settle(self, graph: Graph, edit: Editor) -> None:
            super().settle(graph, edit)
            last = [node for node in graph if isinstance(node.op, ops.BipolarIF)][-1]
            op: Any = last.op
            edit.change_op(last, replace(op, high=1))

    lossless = RECIPES["lossless"]()
    pipeline = Pipeline([Wrong(1)], lossless.program_steps, lossless.settled_by)
    with pytest.raises(PromiseBroken, match="spike-sum"):
        pipeline.run(work, context, calibration(graph, 2))
    assert pass_by_name("spike-sum") is type(spike)
