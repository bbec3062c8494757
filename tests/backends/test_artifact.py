"""Exports are folders that are there whole or not at all; what is in the way is told."""

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

import numpy as np
import pytest

import spikec
from spikec.artifact import Artifact, Deployable, Numbers, Recorded, export
from spikec.errors import BadFile, UnsupportedModel, UsageError
from spikec.ir import Array, Editor, Graph, Stage, TensorType, ops
from spikec.ir.dims import B
from tests.passes.helpers import mlp

X = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)


class Writer:
    """A backend that writes one file, and breaks off where it is told to."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error

    def write(self, source: Deployable, folder: Path, *, word: str = "hi") -> Mapping[str, Any]:
        (folder / "sub").mkdir()
        (folder / "sub" / "a.txt").write_text(word, "utf-8")
        if self.error:
            raise self.error
        return {"ways": ["one"]}

    def run(self, artifact: Artifact, inputs: Mapping[str, Numbers], way: str) -> Recorded:
        return Recorded({}, {}, "nothing")


@pytest.fixture
def program() -> spikec.Program:
    return spikec.convert(mlp(3, 4, 2), X, 4, "graded")


def test_a_folder_is_complete_and_can_be_opened_again(
    program: spikec.Program, tmp_path: Path
) -> None:
    made = export(Writer(), "toy", program.deployable(), tmp_path / "out", word="hello")
    again = Artifact.open(tmp_path / "out")
    assert again == made
    assert again.files == (tmp_path / "out" / "sub" / "a.txt",)
    assert (again.manifest["steps"], again.manifest["recipe"]) == (4, program.recipe)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("error", [OSError(28, "No space left"), KeyboardInterrupt(), ValueError()])
def test_a_broken_export_leaves_nothing(
    program: spikec.Program, tmp_path: Path, error: BaseException
) -> None:
    kind = BadFile if isinstance(error, OSError) else type(error)
    with pytest.raises(kind):
        export(Writer(error), "toy", program.deployable(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_killed_export_leaves_no_folder_of_that_name(tmp_path: Path) -> None:
    code = """
    import os, sys
    from pathlib import Path
    from spikec.artifact import new_folder
    with new_folder(Path(sys.argv[1])) as fresh:
        (fresh / "half").write_text("")
        print("ready", flush=True)
        sys.stdin.read()
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "out")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        child.send_signal(signal.SIGKILL)
    assert not (tmp_path / "out").exists()
    assert all(path.name.startswith(".") for path in tmp_path.iterdir())


def test_an_empty_folder_is_taken(program: spikec.Program, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    export(Writer(), "toy", program.deployable(), tmp_path / "out")
    assert (tmp_path / "out" / "manifest.json").is_file()


def test_what_stands_in_the_way_is_told(program: spikec.Program, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("")
    (tmp_path / "file").write_text("")
    cases = {"full": "not empty", "file": "a file stands", "no/such": "no such folder"}
    for name, told in cases.items():
        with pytest.raises(UsageError, match=told):
            export(Writer(), "toy", program.deployable(), tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full"]
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]


@pytest.mark.parametrize("made", [True, False])
def test_a_folder_without_permission_is_told(
    program: spikec.Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: bool
) -> None:
    if made:
        (tmp_path / "out").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    with pytest.raises(UsageError, match="no permission"):
        export(Writer(), "toy", program.deployable(), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"] * made


def test_options_of_another_backend_are_told(program: spikec.Program, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no option worth") as caught:
        export(Writer(), "toy", program.deployable(), tmp_path / "out", worth=3)
    assert caught.value.expected == "word"


def test_an_unknown_backend_is_answered_with_the_nearest(
    program: spikec.Program, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="did you mean onnx_graph"):
        program.export("onnx_grpah", tmp_path / "out")


def test_tampered_and_foreign_folders_are_no_exports(
    program: spikec.Program, tmp_path: Path
) -> None:
    made = export(Writer(), "toy", program.deployable(), tmp_path / "out")
    made.files[0].write_text("changed")
    with pytest.raises(BadFile, match="was changed"):
        Artifact.open(made.folder)
    made.files[0].unlink()
    with pytest.raises(BadFile, match="missing"):
        Artifact.open(made.folder)
    manifest = made.folder / "manifest.json"
    manifest.write_text(json.dumps({"format": 99}))
    with pytest.raises(BadFile, match="another version"):
        Artifact.open(made.folder)
    for text in ("{", "[]", '{"format": 1}'):
        manifest.write_text(text)
        with pytest.raises(BadFile):
            Artifact.open(made.folder)
    with pytest.raises(BadFile, match="no export"):
        Artifact.open(tmp_path / "nowhere")


def test_an_analog_graph_is_no_program(program: spikec.Program, tmp_path: Path) -> None:
    analog = spikec.Program(program.reference, program.reference, 4)
    with pytest.raises(UsageError, match="holds no neurons"):
        analog.export("onnx_graph", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_all_that_onnx_cannot_express_is_told_at_once(tmp_path: Path) -> None:
    edit = Editor(Graph("born", Stage.SPIKING), by="test")
    x = edit.add(ops.Repeat(), edit.input("x", TensorType((B, 4))))
    x = edit.add(ops.Poisson(1), x, name="noise")
    x = edit.add(ops.IntegrateFire(Array(np.float32(1))), x)
    x = edit.add(ops.Poisson(2), x, name="more_noise")
    edit.output("y", edit.add(ops.LastStep(-3), x, name="last"))
    program = spikec.Program(edit.graph, edit.graph, 4)
    with pytest.raises(UnsupportedModel) as caught:
        program.export("onnx_graph", tmp_path / "out")
    told = str(caught.value)
    assert all(name in told for name in ("%noise", "%more_noise", "%last", "Poisson", "step=False"))
    assert list(tmp_path.iterdir()) == []
