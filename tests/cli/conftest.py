"""A folder of small models, and a way to run the command line in it."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from spikec.cli.start import run
from spikec.ir import Array, B, Editor, Graph, Location, TensorType
from spikec.ir.ops.activation import ReLU
from spikec.ir.ops.affine import Linear
from spikec.ir.store import save

FACTORIES = """
import sys
import torch
from torch import nn

print("the user's own words")

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        return torch.relu(self.fc(x))

class Branching(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x

def bare():
    return Net()

def paired():
    return Net(), torch.zeros(2, 4)

def branching():
    return Branching(), torch.zeros(2, 4)

def needy(width, depth=2):
    return Net()

def failing():
    raise KeyError("lost")

def leaving():
    sys.exit(5)

def numbers():
    return 3.5

ready = Net()
constant = 7
"""


@dataclass(frozen=True)
class Answer:
    """What a command has said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Spikec = Callable[..., Answer]


@pytest.fixture
def spikec(monkeypatch: pytest.MonkeyPatch, models: Path) -> Iterator[Spikec]:
    """Run the command line, in this process, in a folder of models."""
    monkeypatch.chdir(models)
    path, modules = list(sys.path), set(sys.modules)

    def call(*arguments: str | Path) -> Answer:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run([str(argument) for argument in arguments])
        return Answer(code, out.getvalue(), err.getvalue())

    yield call
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if getattr(sys.modules[name], "__file__", None) and name in LOCAL:
            del sys.modules[name]


LOCAL = {"nets", "halfway", "wrong"}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Fill a folder: net.onnx, net.spk, nets.py and files that are no models."""
    (tmp_path / "nets.py").write_text(FACTORIES, "utf-8")
    (tmp_path / "halfway.py").write_text("value = 1\nimport no_such_library\n", "utf-8")
    (tmp_path / "wrong.py").write_text("def net(:\n", "utf-8")
    (tmp_path / "net.onnx").write_bytes(onnx_model())
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "noise.onnx").write_bytes(bytes(range(256)))
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "weights.pth").write_bytes(b"\x80\x04.")
    save(small_graph(), tmp_path / "net.spk")
    cut = (tmp_path / "net.spk").read_bytes()[:-40]
    (tmp_path / "cut.spk").write_bytes(cut)
    return tmp_path


def small_graph() -> Graph:
    edit = Editor(Graph("small"), by="test")
    x = edit.input("x", TensorType((B, 4)))
    weight, bias = Array(np.arange(12.0, dtype="f4").reshape(3, 4)), Array(np.zeros(3, "f4"))
    place = Location.at(module="fc", file="net.py", line=12)
    y = edit.add(Linear(weight, bias), x, name="fc", location=place)
    edit.output("y", edit.add(ReLU(), y))
    edit.graph.notes["capture"] = "by hand"
    return edit.graph


def onnx_model(op: str = "Relu") -> bytes:
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])
        for name, size in (("x", 4), ("y", 3))
    ]
    weight = np.arange(12.0, dtype="f4").reshape(4, 3)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], name="/product"),
        helper.make_node(op, ["h"], ["y"], name="/last"),
    ]
    constants = [numpy_helper.from_array(weight, "w")]
    graph = helper.make_graph(nodes, "small", ports[:1], ports[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())
