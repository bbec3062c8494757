"""Every event of a program is in its NIR file too: random programs, every option, all engines."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spikec
from spikec.artifact import Deployable
from spikec.backends.nir_graph import NirExporter
from spikec.errors import UnsupportedModel
from spikec.frontends.nir_graph import import_model
from spikec.ir import Array, B, Editor, Family, Graph, Stage, T, TensorType, ops
from spikec.runtime import run
from spikec.verification import Check, verify
from tests.backends.nir_graph.programs import (
    EXPORTER,
    JOINED,
    STEPS,
    checked,
    exported,
    random_program,
    samples,
)

KINDS = ["IF", "LIF", "CubaLIF"]


def neurons(graph: Graph) -> list[str]:
    return [node.name for node in graph if node.op.family is Family.NEURON]


def assert_equal(check: Check) -> None:
    assert check.ok, check
    assert check.compared.unequal <= check.compared.entries // 1000
    assert check.output_difference < 1e-4
    assert "spikec's own importer (nir" in check.tool


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 9999),
    st.sampled_from(KINDS),
    st.sampled_from([1.0, 1e-4, 0.001]),
    st.sampled_from([None, True, False]),
)
def test_a_random_program_sends_the_same(
    seed: int, kind: str, dt: float, unit: bool | None
) -> None:
    graph = random_program(seed)
    if not neurons(graph):
        return
    try:
        check = checked(graph, samples(graph, seed), neurons=kind, dt=dt, unit_thresholds=unit)
    except UnsupportedModel:
        return  # test_refusals looks at these
    assert_equal(check)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 9999))
def test_programs_in_whole_numbers_are_equal_bit_for_bit(seed: int) -> None:
    graph = random_program(seed, whole=True)
    if not neurons(graph):
        return
    try:
        check = checked(graph, samples(graph, seed, whole=True))
    except UnsupportedModel:
        return
    assert (check.ok, check.compared.unequal) == (True, 0)


def test_most_random_programs_are_written_and_send_events() -> None:
    written, events = 0, 0
    for seed in range(30):
        graph = random_program(seed)
        try:
            source = Deployable(graph, STEPS)
            found = verify(EXPORTER, source, samples(graph, seed), ("nir_graph", {}))
        except spikec.SpikecError:
            continue
        written += found.ok
        events += found.compared[0].entries
    assert written > 25
    assert events > 50_000


def test_what_is_read_back_can_be_written_again(tmp_path: Path) -> None:
    graph = random_program(3)
    x = samples(graph, 3)
    first = import_model(exported(graph, tmp_path).folder / "net.nir")
    (tmp_path / "again").mkdir()
    again = import_model(exported(first, tmp_path / "again").folder / "net.nir")
    given = np.broadcast_to(x["x"], (STEPS, *x["x"].shape[-4:]))
    a, b = (run(g, given, steps=STEPS) for g in (first, again))
    for left, right in zip(np.atleast_1d(a), np.atleast_1d(b), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5)


@pytest.mark.skipif(importlib.util.find_spec("nir") is None, reason="nir is not installed")
def test_nir_checks_the_types_of_what_is_written(tmp_path: Path) -> None:
    import nir

    for seed in range(20):
        folder = tmp_path / str(seed)
        folder.mkdir()
        try:
            artifact = exported(random_program(seed), folder)
        except spikec.SpikecError:
            continue
        graph = nir.read(str(artifact.folder / "net.nir"), type_check=True)
        assert graph.check_types()


def test_a_file_is_read_without_nir_too(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = random_program(1)
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "nir" else find(name)
    )
    check = checked(graph, samples(graph, 1))
    assert check.ok
    assert check.tool == "spikec's own importer (nir is not installed)"


def test_a_wrong_file_is_found_out(tmp_path: Path) -> None:
    """A check that could not fail would say nothing."""
    graph = dense(Array(np.float32(1.0)))
    other = dense(Array(np.float32(1.1)))
    x = {"x": np.random.default_rng(0).normal(0.2, 1, (STEPS, 3, 4)).astype(np.float32)}
    artifact = exported(other, tmp_path)
    (check,) = verify(EXPORTER, Deployable(graph, STEPS), x, artifact).checks
    assert not check.ok
    assert check.first_difference is not None
    assert check.first_difference.layer == "a"


def dense(threshold: Array) -> Graph:
    edit = Editor(Graph("dense", Stage.SPIKING), by="test")
    x = edit.input("x", TensorType((T, B, 4)))
    weight = np.random.default_rng(1).normal(0, 1, (5, 4)).astype(np.float32)
    a = edit.add(ops.IntegrateFire(threshold), edit.add(ops.Linear(Array(weight)), x), name="a")
    edit.output("y", edit.add(ops.MeanReadout(), a))
    return edit.graph


def test_the_same_program_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = (
        exported(random_program(5), tmp_path / name).folder / "net.nir" for name in ("one", "two")
    )
    assert one.read_bytes() == two.read_bytes()


def test_the_registry_joins_backend_and_frontend() -> None:
    assert isinstance(JOINED, NirExporter)
    assert (JOINED.reader, JOINED.players) == (import_model, None)
    assert NirExporter().reader is None
