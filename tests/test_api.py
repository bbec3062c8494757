"""`import_model` chooses the frontend, verifies the graph, and refuses the rest in clear words."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, fx, nn

import spikec
from spikec.errors import BadFile, SpikecError, UsageError, VerifyError
from spikec.frontends import FRONTENDS, Frontend
from spikec.ir import B, Editor, Graph, TensorType
from spikec.ir.ops.activation import ReLU

EXAMPLE = torch.arange(-4.0, 4.0).reshape(2, 4)


class Net(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x)


def proto() -> onnx.ModelProto:
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", 4]) for n in ("x", "y")]
    node = helper.make_node("Relu", ["x"], ["y"], name="/relu")
    graph = helper.make_graph([node], "small", ports[:1], ports[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def forms(folder: Path) -> Iterator[tuple[Any, bool]]:
    """Give one network in every accepted form, and whether that form needs an example input."""
    program = torch.export.export(Net(), (EXAMPLE,))
    torch.export.save(program, folder / "net.pt2")
    onnx.save(proto(), folder / "net.onnx")
    yield Net(), True
    yield fx.symbolic_trace(Net()), True
    yield program, False
    yield folder / "net.pt2", False
    yield str(folder / "net.pt2"), False
    yield proto(), False
    yield proto().SerializeToString(), False
    yield folder / "net.onnx", False
    yield str(folder / "net.onnx"), False


FORMS = (
    *("nn.Module", "fx.GraphModule", "ExportedProgram", "path of .pt2", "name of .pt2"),
    *("ModelProto", "bytes", "path of .onnx", "name of .onnx"),
)


@pytest.mark.parametrize("form", FORMS)
def test_every_accepted_form_becomes_a_graph_that_computes_the_same(
    form: str, tmp_path: Path
) -> None:
    model, needs_example = list(forms(tmp_path))[FORMS.index(form)]
    graph = spikec.import_model(model, EXAMPLE if needs_example else None, name="mine")
    assert graph.name == "mine"
    found = spikec.runtime.run(graph, EXAMPLE)
    assert np.array_equal(np.asarray(found), torch.relu(EXAMPLE).numpy())


@pytest.mark.parametrize(
    ("model", "what", "remedy"),
    [
        (None, "None is not a model", ""),
        (3, "a builtins.int is not a model", ""),
        (Net, "the class Net is not a model", "pass an instance of the class"),
        ({"weights": 1}, "a builtins.dict is not a model", ""),
    ],
)
def test_an_unknown_object_is_told_what_is_accepted(model: Any, what: str, remedy: str) -> None:
    with pytest.raises(UsageError, match=what) as caught:
        spikec.import_model(model)
    assert all(frontend.accepts in caught.value.expected for frontend in FRONTENDS.values())
    assert caught.value.remedy == remedy


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("net.spk", "spikec.ir.store.load"),
        ("net.pth", "pickle"),
        ("net.pt", "pickle"),
        ("net.safetensors", "load them into the nn.Module"),
        ("net.py", "spikec show module:factory"),
        ("net.tflite", "export the model to .onnx or .pt2"),
        ("net", "export the model to .onnx or .pt2"),
    ],
)
def test_a_wrong_suffix_is_told_what_to_do(tmp_path: Path, name: str, remedy: str) -> None:
    (tmp_path / name).write_bytes(b"content")
    with pytest.raises(UsageError, match="is not a model that spikec reads") as caught:
        spikec.import_model(tmp_path / name)
    assert remedy in caught.value.remedy
    assert caught.value.where == str(tmp_path / name)


@pytest.mark.parametrize("suffix", [".onnx", ".pt2", ".ONNX"])
def test_a_file_that_cannot_be_read_is_a_clear_error(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"empty{suffix}").touch()
    (tmp_path / f"folder{suffix}").mkdir()
    (tmp_path / f"link{suffix}").symlink_to(tmp_path / "nowhere")
    (tmp_path / f"noise{suffix}").write_bytes(bytes(range(256)) * 9)
    for stem, what in {
        "empty": "the file is empty",
        "folder": "a folder, not a file",
        "link": "a symbolic link that leads nowhere",
        "emptyy": f"did you mean .*empty{suffix}",
        "xyzzy": "check the path",
        "nul\0byte": "check the path",
        "x" * 5000: "check the path",
        "noise": "noise",
    }.items():
        with pytest.raises(BadFile, match=what):
            spikec.import_model(tmp_path / f"{stem}{suffix}")


def test_an_unknown_option_is_told_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        spikec.import_model(proto(), dynamic_bach=True)
    (problem,) = caught.value.problems
    assert problem.what == "no option 'dynamic_bach' for such a model"
    assert problem.remedy == "did you mean dynamic_batch?"


def test_options_reach_the_frontend() -> None:
    fixed = proto()
    for port in (*fixed.graph.input, *fixed.graph.output):
        port.type.tensor_type.shape.dim[0].dim_value = 1
    assert spikec.import_model(fixed).inputs[0].outputs[0].type.dims == (1, 4)
    free = spikec.import_model(fixed, dynamic_batch=True)
    assert free.inputs[0].outputs[0].type.dims == (B, 4)


def test_the_graph_of_a_frontend_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(model: object, example_input: object = None, *, name: str = "") -> Graph:
        edit = Editor(Graph("broken"), by="test")
        edit.add(ReLU(), edit.input("x", TensorType((B, 4))))
        return edit.graph

    frontend = Frontend("nothing good", (), ("builtins.complex",), lambda: broken)
    monkeypatch.setitem(FRONTENDS, "broken", frontend)
    with pytest.raises(VerifyError, match="the graph has no Output"):
        spikec.import_model(1j)


def test_every_error_is_a_spikec_error(tmp_path: Path) -> None:
    (tmp_path / "cut.onnx").write_bytes(proto().SerializeToString()[:-9])
    for model in (b"", b"no model", tmp_path / "cut.onnx", Net()):
        with pytest.raises(SpikecError):
            spikec.import_model(model)


def test_onnx_is_imported_without_torch(tmp_path: Path) -> None:
    onnx.save(proto(), tmp_path / "net.onnx")
    code = """
import sys, spikec
assert len(spikec.import_model("net.onnx")) == 3
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
