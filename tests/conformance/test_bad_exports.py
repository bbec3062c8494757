"""What no backend can export, and where none can write: one clear error, and nothing left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from spikec.artifact import MANIFEST, Artifact, Deployable, export
from spikec.errors import BadFile, SpikecError, UnsupportedModel, UsageError, VerifyError
from spikec.ir import B, Graph, TensorType, ops
from spikec.ir.edit import copied
from spikec.program import Program
from spikec.registry import backends, exporter_by_name
from tests.conformance.case import STEPS, Place
from tests.conformance.outcome import BACKENDS, Refusal, lowered, outcome, placed_elsewhere
from tests.conformance.suite import CASES
from tests.conformance.union import united
from tests.interrupts import interruptible
from tests.passes.helpers import mlp

every_backend = pytest.mark.parametrize("backend", BACKENDS)
PLAIN = CASES["Linear-between"]


def exported(backend: str, graph: Graph, folder: Path, **options: Any) -> Artifact:
    return export(exporter_by_name(backend), backend, Deployable(graph, STEPS), folder, **options)


def assert_clear(error: SpikecError) -> None:
    """What is wrong, where, and what to do, or what was expected."""
    for problem in error.problems or (error,):
        assert problem.what
        assert problem.expected or problem.remedy
    assert error.where or error.problems or error.remedy


# ---- programs ----


@every_backend
def test_an_analog_graph_is_no_program(backend: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        exported(backend, mlp(3, 4, 2), tmp_path / "out")
    assert_clear(caught.value)
    assert "mlp" in caught.value.what
    assert list(tmp_path.iterdir()) == []


@every_backend
def test_a_graph_that_breaks_a_rule_is_told_before_anything_is_written(
    backend: str, tmp_path: Path
) -> None:
    graph = copied(lowered(backend, PLAIN.build()))
    graph["last"].outputs[0].type = TensorType((B, 99))
    with pytest.raises(VerifyError) as caught:
        exported(backend, graph, tmp_path / "out")
    assert "%last" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@every_backend
def test_a_program_that_is_not_placed_is_told_how_to_place_it(backend: str, tmp_path: Path) -> None:
    target = backends()[backend].load().target
    if not target:
        exported(backend, PLAIN.build(), tmp_path / "out")  # nothing asks for a placement
        return
    with pytest.raises(UsageError, match="is placed on no chip") as caught:
        exported(backend, PLAIN.build(), tmp_path / "out")
    assert target in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


@every_backend
def test_weights_that_are_not_whole_are_taken_or_told_layer_by_layer(
    backend: str, tmp_path: Path
) -> None:
    """On a chip of whole numbers, a program placed for another one is told what is wrong."""
    graph = copied(PLAIN.build())
    node = graph["op"]
    assert isinstance(node.op, ops.Linear)
    node.op = ops.Linear(type(node.op.weight)(node.op.weight.data / 3))
    if not backends()[backend].load().target:
        assert exported(backend, graph, tmp_path / "out").ways
        return
    with pytest.raises(UnsupportedModel) as caught:
        exported(backend, placed_elsewhere(graph), tmp_path / "out")
    assert_clear(caught.value)
    assert any(p.where.startswith("%op") and "whole" in str(p) for p in caught.value.problems)
    assert list(tmp_path.iterdir()) == []


PLACES = (Place.BETWEEN, Place.BEFORE)
"""where no host could take a node over that a backend refuses"""


@every_backend
def test_all_that_cannot_be_written_is_told_at_once(backend: str, tmp_path: Path) -> None:
    refused = {
        f"case{i}": case.build()
        for i, case in enumerate(CASES.values())
        if case.place in PLACES and isinstance(outcome(backend, case), Refusal)
    }
    chosen = dict(list(refused.items())[:: max(1, len(refused) // 4)])
    assert len(chosen) > 1
    graph = united({name: (part, {}) for name, part in chosen.items()}).graph
    with pytest.raises(UnsupportedModel) as caught:
        exported(backend, lowered(backend, graph), tmp_path / "out")
    places = {p.where.split(".")[0].removeprefix("%") for p in caught.value.problems}
    assert places == set(chosen)
    assert_clear(caught.value)
    assert list(tmp_path.iterdir()) == []


# ---- folders ----


@every_backend
def test_what_stands_in_the_way_is_told_and_left_as_it_is(backend: str, tmp_path: Path) -> None:
    graph = lowered(backend, PLAIN.build())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine", "utf-8")
    (tmp_path / "file").write_text("mine", "utf-8")
    before = listing(tmp_path)
    cases = {"full": "not empty", "file": "a file stands", "no/such": "no such folder"}
    for name, told in cases.items():
        with pytest.raises(UsageError, match=told) as caught:
            exported(backend, graph, tmp_path / name)
        assert_clear(caught.value)
        assert str(tmp_path) in caught.value.where
    assert listing(tmp_path) == before


def listing(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@every_backend
@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_may_not_be_written_is_told(
    backend: str, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the superuser, who may run this, may write everywhere: so the answer of the system is set
    graph = lowered(backend, PLAIN.build())
    if there:
        (tmp_path / "out").mkdir()
    monkeypatch.setattr("spikec.artifact.os.access", lambda *_: False)
    with pytest.raises(UsageError, match="no permission") as caught:
        exported(backend, graph, tmp_path / "out")
    assert_clear(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["out"] * there


@every_backend
def test_a_disk_that_is_full_leaves_nothing(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    graph = lowered(backend, PLAIN.build())
    monkeypatch.setattr("spikec.artifact.os.replace", full)
    with pytest.raises(BadFile, match="No space left") as caught:
        exported(backend, graph, tmp_path / "out")
    assert_clear(caught.value)
    assert list(tmp_path.iterdir()) == []


# ---- kills ----

PAUSED = """
import sys, time
from spikec import artifact
from spikec.cli import main

def stop(file):
    print("writing", flush=True)
    time.sleep(600)

artifact._digest = stop  # called when the backend has written its files, before the manifest
main()
"""


@every_backend
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_killed_export_leaves_no_folder_and_does_not_hinder_the_next(
    backend: str, number: signal.Signals, tmp_path: Path
) -> None:
    graph = lowered(backend, PLAIN.build())
    Program(graph, PLAIN.build(), STEPS).save(tmp_path / "net.spk")
    arguments = ["export", "net.spk", "--to", backend, "-o", "out"]
    command = interruptible([sys.executable, "-c", textwrap.dedent(PAUSED), *arguments])
    pipes: Mapping[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, text=True, **pipes) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "writing\n"
        assert not (tmp_path / "out").exists()
        child.send_signal(number)
        _, err = child.communicate(timeout=60)
    left = [path for path in tmp_path.iterdir() if path.name != "net.spk"]
    assert all(path.name.startswith(".out.") for path in left)
    if number is signal.SIGINT:
        assert (child.returncode, err, left) == (130, "interrupted\n", [])
    assert exported(backend, graph, tmp_path / "out").ways
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.spk", "out"]


def test_an_export_to_the_same_place_leaves_one_that_is_under_way_alone(tmp_path: Path) -> None:
    from spikec.artifact import new_folder

    with new_folder(tmp_path / "out") as first:
        (first / "mine").write_text("", "utf-8")
        with new_folder(tmp_path / "out") as second:
            assert (first / "mine").is_file()
            (second / "theirs").write_text("", "utf-8")
        os.remove(tmp_path / "out" / "theirs")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


# ---- exports that were changed ----


@every_backend
def test_a_manifest_whose_fields_were_changed_is_no_export(backend: str, tmp_path: Path) -> None:
    artifact = exported(backend, lowered(backend, PLAIN.build()), tmp_path / "out")
    path = artifact.folder / MANIFEST
    intact = json.loads(path.read_text("utf-8"))
    assert Artifact.open(artifact.folder) == artifact
    for key in intact:
        for wrong in ({}, {key: None}, {key: "7"}, {key: -1}):
            rest = {name: value for name, value in intact.items() if name != key}
            path.write_text(json.dumps({**rest, **wrong}), "utf-8")
            with pytest.raises(BadFile) as caught:
                Artifact.open(artifact.folder)
            assert_clear(caught.value)


@every_backend
def test_an_option_that_a_backend_lacks_is_told(backend: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no option worth") as caught:
        exported(backend, lowered(backend, PLAIN.build()), tmp_path / "out", worth=3)
    assert caught.value.expected
    assert list(tmp_path.iterdir()) == []


@every_backend
def test_a_way_to_run_that_an_export_lacks_is_told(backend: str, tmp_path: Path) -> None:
    graph = lowered(backend, PLAIN.build())
    artifact = exported(backend, graph, tmp_path / "out")
    with pytest.raises(UsageError, match="slowly") as caught:
        exporter_by_name(backend).run(artifact, PLAIN.inputs(graph), "slowly")
    assert all(way in caught.value.expected for way in artifact.ways)
