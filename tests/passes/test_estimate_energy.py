"""estimate-energy writes what `Program.energy` tells onto the nodes, and nothing else."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import spikec
from spikec.energy.annotation import NOTE, annotation_of
from spikec.errors import BadFile, UsageError
from spikec.ir import Editor
from spikec.ir.edit import copied
from spikec.ir.parser import parse
from spikec.ir.printer import print_graph
from spikec.passes.estimate_energy import EstimateEnergy
from spikec.pipeline import Context
from tests.passes.helpers import mlp

X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)


@cache
def made() -> spikec.Program:
    return spikec.convert(mlp(4, 6, 5, 3), X, 4, "graded")


def context(program: spikec.Program) -> Context:
    return Context(calibration=program.inputs(X), reference=program.reference, steps=program.steps)


@pytest.mark.parametrize("profile", ["horowitz45-fp32", "loihi1-davies2018"])
def test_nodes_hold_what_an_estimate_says(profile: str) -> None:
    program = made()
    graph = copied(program.graph)
    step = EstimateEnergy(profile=profile, samples=9)
    assert not step(graph, context(program))  # no node changes
    assert graph == program.graph
    told, wanted = annotation_of(graph), program.energy(X[:9], profile)
    assert told is not None
    assert (told.profile, told.steps, told.samples) == (profile, 4, 9)
    assert {name: cost.pj for name, cost in told.nodes.items()} == {
        layer.name: layer.total_pj for layer in wanted.layers
    }
    for layer in wanted.layers:
        counts = {name: n for name, n in layer.counts.to_json().items() if n}
        assert told.nodes[layer.name].counts == counts


def test_a_second_time_changes_nothing() -> None:
    graph = copied(made().graph)
    EstimateEnergy()(graph, context(made()))
    first = graph.notes[NOTE]
    EstimateEnergy()(graph, context(made()))
    assert graph.notes[NOTE] == first


def test_it_is_saved_and_printed_with_the_graph(tmp_path: Path) -> None:
    program = made()
    program = spikec.Program(copied(program.graph), program.reference, program.steps)
    EstimateEnergy()(program.graph, context(program))
    program.save(tmp_path / "net.spk")
    read = spikec.load(tmp_path / "net.spk").graph
    told = annotation_of(read)
    assert told is not None
    assert told == annotation_of(program.graph)
    remarks = {name: str(cost) for name, cost in told.nodes.items()}
    text = print_graph(read, remarks)
    assert all(f"  // {remark}\n" in text for remark in remarks.values())
    arrays = {array.digest: array for array in read.arrays().values()}
    assert parse(text, arrays) == read


def test_a_changed_graph_has_none() -> None:
    graph = copied(made().graph)
    EstimateEnergy()(graph, context(made()))
    edit = Editor(graph, by="test")
    edit.output("again", graph.outputs[0].inputs[0])
    assert annotation_of(graph) is None
    assert NOTE in graph.notes


@pytest.mark.parametrize("note", ["{", "[]", '{"nodes": {"a": 3}}'])
def test_a_damaged_note_is_an_error(note: str) -> None:
    graph = copied(made().graph)
    graph.notes[NOTE] = note
    with pytest.raises(BadFile, match="energy note"):
        annotation_of(graph)


def test_it_needs_samples_and_a_known_profile() -> None:
    graph = copied(made().graph)
    with pytest.raises(UsageError, match="needs calibration data"):
        EstimateEnergy()(graph, Context(steps=4))
    with pytest.raises(UsageError, match="horowitz45"):
        EstimateEnergy(profile="horowits45")(graph, context(made()))
    with pytest.raises(UsageError, match="samples"):
        EstimateEnergy(samples=0)


def test_json_has_no_other_names() -> None:
    graph = copied(made().graph)
    EstimateEnergy()(graph, context(made()))
    names = {"profile", "steps", "samples", "graph", "nodes"}
    assert json.loads(graph.notes[NOTE]).keys() == names
