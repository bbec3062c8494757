"""Graphs of any ops: written and run, or refused with every place and a remedy."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
import pytest

from spikec.backends.onnx_graph.models import models_of
from spikec.backends.onnx_graph.rules import REFUSED, RULES, SCANS
from spikec.errors import UnsupportedModel
from spikec.ir import DType, Graph, Sizes, Stage, Timing, ops
from spikec.ir.ops import OPS
from spikec.runtime import run
from spikec.testing import random_graph, random_inputs
from spikec.testing.compare import difference
from tests.backends.onnx_graph.running_helpers import Named, outputs_of, stepped

STEPS = 4
TOLERANCE = 1e-4
"""of the largest number: sums are added up in other orders"""


def written(graph: Graph, *, one_step: bool) -> Mapping[str, onnx.ModelProto]:
    """Write a graph; nothing where it is refused, which has to be explained."""
    refusal = None
    try:
        return models_of(graph, STEPS, {}, one_step=one_step).protos
    except UnsupportedModel as error:
        refusal = error
    assert refusal.problems
    assert all(problem.where and problem.remedy for problem in refusal.problems)
    return {}


def wanted(graph: Graph, x: Named) -> Named:
    timed = any(n.timing is not Timing.STATIC for n in graph)
    found = run(graph, x, steps=STEPS if timed else None)
    results = found if isinstance(found, tuple) else (found,)
    return dict(zip((n.name for n in graph.outputs), results, strict=True))


def of_usual_types(graph: Graph) -> bool:
    """The runtime computes every floating number in one type; ONNX in the type that is declared."""
    kinds = {value.type.dtype for node in graph for value in node.outputs}
    return not kinds & {DType.F16, DType.F64}


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("stage", [Stage.ANALOG, Stage.SPIKING])
def test_a_random_graph_is_run_or_refused(seed: int, stage: Stage) -> None:
    graph = random_graph(seed, stage=stage, size=8)
    models = written(graph, one_step=False)
    if not models or not of_usual_types(graph):
        return
    x = random_inputs(graph, batch=3, seed=seed, steps=STEPS)
    found = outputs_of(models["sequence"], x)
    for name, array in wanted(graph, x).items():
        given = found.get(f"{name}_by_step", found[name])
        assert difference(array, given, TOLERANCE) == ""


@pytest.mark.parametrize("seed", range(40))
def test_a_random_graph_without_whole_sequence_ops_goes_step_by_step(seed: int) -> None:
    graph = random_graph(seed, stage=Stage.SPIKING, size=8)
    models = written(graph, one_step=True)
    if not models or not of_usual_types(graph):
        return
    x = random_inputs(graph, batch=3, seed=seed, steps=STEPS)
    whole = outputs_of(models["sequence"], x)
    for name, array in stepped(models, graph, x, Sizes(3, STEPS)).items():
        given = whole.get(f"{name}_by_step", whole[name])
        assert difference(given, array, 1e-6) == ""


def test_every_op_is_written_or_refused_with_a_remedy() -> None:
    boundary = {ops.Input, ops.Output, ops.Constant}
    assert set(RULES) | set(SCANS) | set(REFUSED) | boundary == set(OPS.values())
    assert not (set(RULES) | set(SCANS)) & set(REFUSED)
    assert all(REFUSED.values())


def test_most_random_graphs_are_written() -> None:
    graphs = [random_graph(seed, stage=Stage.SPIKING, size=8) for seed in range(60)]
    assert sum(bool(written(graph, one_step=False)) for graph in graphs) > 30
    assert sum(bool(written(graph, one_step=True)) for graph in graphs) > 10
