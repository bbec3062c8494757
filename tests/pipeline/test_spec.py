"""Pipelines are text, both ways; what cannot be read is told with the nearest known word."""

from __future__ import annotations

import numpy as np
import pytest

import spikec
from spikec.conversion import read_recipe
from spikec.errors import PromiseBroken, UsageError
from spikec.ir import Editor, ops
from spikec.pipeline import Context, Exactly, Pass, Pipeline, parse_pipeline, print_pipeline
from spikec.pipeline.run import deviation
from spikec.registry import pass_by_name
from tests.passes.helpers import applied, calibration, mlp


@pytest.mark.parametrize("name", spikec.recipes())
@pytest.mark.parametrize("steps", [1, 8])
def test_every_recipe_s_pipeline_reads_and_prints_both_ways(name: str, steps: int) -> None:
    passes = parse_pipeline(read_recipe(name).pipeline(steps), pass_by_name)
    text = print_pipeline(passes)
    assert parse_pipeline(text, pass_by_name) == passes
    assert print_pipeline(parse_pipeline(text, pass_by_name)) == text


def test_defaults_are_left_out_and_all_types_of_options_read() -> None:
    text = " thresholds{ levels = 8, rule=mse , p=99.9 } , spike-rate{signed=true,v0=1e-1}"
    passes = parse_pipeline(text, pass_by_name)
    assert print_pipeline(passes) == "thresholds{levels=8},spike-rate{signed=true,v0=0.1}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fold-batchnrom", "did you mean fold-batchnorm?"),
        ("thresholds{level=3}", "did you mean levels?"),
        ("thresholds", "thresholds needs levels"),
        ("thresholds{levels=many}", "a whole number"),
        ("thresholds{levels=2.5}", "a whole number"),
        ("thresholds{levels=2,rule=msee}", "did you mean mse?"),
        ("thresholds{levels}", "option=value"),
        ("spike-rate{signed=yes}", "true or false"),
        ("spike-rate{v0=half}", "a number"),
        ("spike-rate{signed=true", "column 1"),
        ("remove-dead;fold-constants", "column 1"),
        ("remove-dead,?fold", "column 13"),
        ("Remove-Dead", "did you mean remove-dead?"),
        ("thresholds{levels=2,levels=3}", "thresholds.levels is given twice"),
        ("remove-dead{all=true}", "no options"),
    ],
)
def test_what_cannot_be_read_is_told(text: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_pipeline(text, pass_by_name)
    assert told in str(caught.value)


class Doubling(Pass):
    """Breaks its promise."""

    name = "doubling"
    promise = Exactly()

    def apply(self, edit: Editor, context: Context) -> None:
        node = edit.graph.outputs[0]
        edit.rewire(node, [edit.add(ops.Add(), *node.inputs * 2, before=node)])


def test_a_pass_that_breaks_its_promise_is_an_error() -> None:
    graph = mlp(3, 4, 2)
    with pytest.raises(PromiseBroken, match="pass doubling changed the outputs by 1 "):
        Pipeline([Doubling()]).run(graph, Context(), calibration(graph, 2))


def test_every_step_is_told_with_its_deviation() -> None:
    graph = mlp(3, 4, 2)
    data = calibration(graph)
    told: list[str] = []
    pipeline = Pipeline(parse_pipeline("remove-dead,thresholds{levels=2}", pass_by_name))
    context = Context(calibration=data)
    steps = pipeline.run(
        applied("remove-dead", graph), context, data, lambda s: told.append(s.text)
    )
    assert told == ["remove-dead", "thresholds{levels=2}"]
    assert [step.changed for step in steps] == [False, True]
    assert steps[0].deviation == 0 < steps[1].deviation < 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_are_the_largest_deviation(bad: float) -> None:
    good, broken = np.array([1.0, 2.0]), np.array([1.0, bad])
    assert deviation((good,), (broken,)) == np.inf
    assert deviation((broken,), (good,)) == np.inf
    assert deviation((broken,), (broken,)) == 0
