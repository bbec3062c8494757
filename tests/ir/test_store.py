"""Programs on disk: exact, deterministic, atomic, and refused when anything about them is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from safetensors import safe_open

from spikec.errors import BadFile, TypeMismatch, UsageError
from spikec.ir import Array, Editor, Graph, Stage, ops, store
from spikec.testing import graphs
from tests.ir.examples import EXAMPLES, Example, example_graph, small_graph

RECORD = {"seed": 3, "versions": {"spikec": "0"}, "calibration": [0.1, None, True, "ü"]}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "net.spk"
    store.save(small_graph(), path, RECORD)
    return path


def test_what_is_saved_comes_back(saved: Path) -> None:
    graph, record = store.load(saved)
    before = small_graph()
    assert graph == before
    assert record == RECORD
    assert graph.notes == before.notes == {"capture": "by hand"}
    assert graph.journal == before.journal != []


def test_a_record_is_not_needed(tmp_path: Path) -> None:
    store.save(small_graph(), str(tmp_path / "a.spk"))
    assert store.load(str(tmp_path / "a.spk")) == (small_graph(), {})


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: type(e[0]).__name__)
def test_every_op_comes_back(example: Example, tmp_path: Path) -> None:
    graph = example_graph(example)
    store.save(graph, tmp_path / "a.spk")
    assert store.load(tmp_path / "a.spk") == (graph, {})


@settings(max_examples=200)
@given(graph=graphs() | graphs(stage=Stage.SPIKING))
def test_random_graphs_come_back(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "random.spk"
    store.save(graph, path)
    assert store.load(path) == (graph, {})


ARRAYS = (
    *(np.array([0, 1, 2], t) for t in (np.float16, np.float32, np.float64)),
    *(np.array([0, 1, 2], t) for t in (np.int8, np.int16, np.int32, np.int64, np.uint8)),
    np.array([True, False]),
    np.array(1.5),
    np.array(True),
    np.zeros((2, 0, 3), np.float32),
    np.array([0.0, -0.0, np.inf, -np.inf]),
    np.array([0x7FC00001, 0xFF800001, 0x00000001], np.uint32).view(np.float32),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(100.0)[::-3],
)


@pytest.mark.parametrize("data", ARRAYS, ids=lambda a: f"{a.dtype}{list(a.shape)}")
def test_arrays_come_back_to_the_bit(data: np.ndarray[Any, Any], tmp_path: Path) -> None:
    edit = Editor(Graph("g"), by="test")
    edit.output("y", edit.constant(ops.Constant(Array(data))))
    store.save(edit.graph, tmp_path / "a.spk")
    graph, _ = store.load(tmp_path / "a.spk")
    (array,) = graph.arrays().values()
    assert (array.dtype, array.shape) == (data.dtype, data.shape)
    assert array.data.tobytes() == data.tobytes()


def test_an_element_type_without_a_name_is_refused_with_its_node(tmp_path: Path) -> None:
    edit = Editor(Graph("g"), by="test")
    node = edit.constant(ops.Constant(Array(np.float32(1)))).producer
    object.__setattr__(node.op, "value", Array(np.array([1], np.complex64)))
    with pytest.raises(TypeMismatch, match="complex64") as caught:
        str(edit.graph)
    assert "%constant" in caught.value.where


def test_the_same_program_gives_the_same_bytes(tmp_path: Path) -> None:
    code = (
        "import sys; from spikec.ir import store; from spikec.testing import random_graph\n"
        "store.save(random_graph(5), sys.argv[1], {'b': {'y': 1, 'x': 2}, 'a': 3})"
    )
    for name in ("a", "b"):
        environment = {**os.environ, "PYTHONHASHSEED": str(len(name) + ord(name))}
        path = str(tmp_path / name)
        subprocess.run([sys.executable, "-c", code, path], check=True, env=environment)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("record", "place"),
    [
        ({"a": float("nan")}, r"record\['a'\] = nan"),
        ({"a": [1, {2}]}, r"record\['a'\]\[1\], a set"),
        ({"a": {1: 2}}, r"record\['a'\]: the key 1"),
        ({"a": np.float32(1)}, r"record\['a'\], a float32"),
        ({"a": (1, 2)}, r"record\['a'\], a tuple"),
    ],
)
def test_a_record_that_would_change_is_refused(
    record: dict[str, Any], place: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=place):
        store.save(small_graph(), tmp_path / "a.spk", record)
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_safetensors_with_the_graph_as_json(saved: Path) -> None:
    with safe_open(saved, framework="np") as file:
        content = json.loads(file.metadata()["spikec"])
        names = set(file.keys())
    assert content["schema"] == store.SCHEMA
    assert [row["op"] for row in content["graphs"][store.MAIN]["graph"]["nodes"]][:3] == [
        "Input",
        "Conv",
        "Clip",
    ]
    assert names == set(small_graph().arrays())


# ---- writing --------------------------------------------------------------------------------


def _refuse_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let open() refuse, as it does for users who are not root."""

    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)


def not_saved(path: Path, what: str) -> None:
    with pytest.raises(BadFile, match=what) as caught:
        store.save(small_graph(), path)
    assert caught.value.where == str(path)


def test_saving_where_nothing_can_be_saved_says_why(
    tmp_path: Path, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()
    not_saved(tmp_path / "none" / "a.spk", "there is no folder for this file")
    not_saved(saved / "a.spk", "there is no folder for this file")
    not_saved(tmp_path, "a folder stands in the file's place")
    _refuse_open(monkeypatch)
    not_saved(saved, "no permission to write here")
    monkeypatch.undo()
    assert saved.read_bytes() == before
    assert list(tmp_path.iterdir()) == [saved]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_an_error_while_saving_leaves_the_old_file_alone(
    step: str, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    before = saved.read_bytes()
    monkeypatch.setattr(os, step, fail)
    not_saved(saved, "No space left on device")
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_a_link_stays_a_link(saved: Path) -> None:
    link = saved.with_name("link.spk")
    link.symlink_to(saved)
    store.save(Graph("other"), link)
    assert link.is_symlink()
    assert store.load(saved) == (Graph("other"), {})


def test_the_file_has_the_permissions_that_the_user_asked_for(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        store.save(Graph("g"), tmp_path / "a.spk")
    finally:
        os.umask(before)
    assert (tmp_path / "a.spk").stat().st_mode & 0o777 == 0o640


KILLED = """
import os, random, signal, sys, time
from spikec.ir import store
from spikec.testing import random_graph
path, kills = sys.argv[1], int(sys.argv[2])
graphs = [random_graph(seed, size=8) for seed in (1, 2)]
store.save(graphs[0], path)
random.seed(0)
seen = set()
rounds = 0
while rounds < kills or len(seen) < 2 and rounds < 10 * kills:  # a busy machine saves little
    rounds += 1
    child = os.fork()
    if child == 0:
        while True:
            for graph in graphs:
                store.save(graph, path)
    time.sleep(random.uniform(0, 0.02))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    graph, _ = store.load(path)
    assert graph in graphs
    seen.add(graph.name)
print(len(seen), [name for name in os.listdir(os.path.dirname(path)) if name[0] != "."])
"""


def test_a_kill_in_the_middle_of_a_save_leaves_a_whole_file(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path / "net.spk"), "60"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stdout == "2 ['net.spk']\n", result.stderr


def test_several_graphs_stand_in_one_file_and_share_their_arrays(tmp_path: Path) -> None:
    first, second = small_graph(), small_graph()
    second.name = "second"
    store.save_all({store.MAIN: first, "reference": second}, tmp_path / "a.spk", RECORD)
    store.save(first, tmp_path / "b.spk", RECORD)
    graphs, record = store.load_all(tmp_path / "a.spk")
    assert (graphs, record) == ({store.MAIN: first, "reference": second}, RECORD)
    assert _tensors(tmp_path / "a.spk") == _tensors(tmp_path / "b.spk")


def _tensors(path: Path) -> set[str]:
    with safe_open(path, framework="np") as file:
        return set(file.keys())
