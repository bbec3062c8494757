"""`spikec show` tells what stands in a model, for people and for machines."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from spikec.ir.parser import parse
from spikec.ir.store import load
from tests.cli.conftest import Spikec, small_graph

MODELS = ["net.onnx", "net.spk", "nets:paired"]


@pytest.mark.parametrize("model", MODELS)
def test_every_kind_of_model_is_shown_as_a_table(spikec: Spikec, model: str) -> None:
    answer = spikec("show", model)
    assert answer.code == 0
    assert "ReLU" in answer.out
    assert "f32[B, 3]" in answer.out
    assert "MACs per sample (B = 1, T = 1)" in answer.out


def test_the_table_of_a_small_graph_is_right(spikec: Spikec) -> None:
    lines = [" ".join(line.split()) for line in spikec("show", "net.spk").out.splitlines()]
    assert "small: analog graph, 4 nodes" in lines
    assert "fc Linear f32[B, 3] 15 12 fc (net.py:12)" in lines
    assert "4 nodes, 15 parameters, 12 MACs per sample (B = 1, T = 1)" in lines
    assert "capture: by hand" in lines


def test_json_holds_every_node_with_operands_types_numbers_and_place(spikec: Spikec) -> None:
    answer = spikec("show", "net.spk", "--json")
    assert answer.code == 0
    shown = answer.json
    assert shown["inputs"] == [{"name": "x", "type": "f32[B, 4]"}]
    assert shown["outputs"] == [{"name": "y", "type": "f32[B, 3]"}]
    assert shown["totals"] == {"nodes": 4, "params": 15, "macs": 12}
    assert shown["notes"] == {"capture": "by hand"}
    assert shown["nodes"][1] == {
        "name": "fc",
        "op": "Linear",
        "family": "affine",
        "operands": ["x"],
        "types": ["f32[B, 3]"],
        "params": 15,
        "macs": 12,
        "macs_formula": "12*B",
        "place": "fc (net.py:12)",
    }


def test_the_text_parses_back_to_the_same_graph(spikec: Spikec) -> None:
    text = spikec("show", "net.spk", "--text").out
    assert parse(text, small_graph().arrays()) == small_graph()


def test_the_route_of_capture_is_named(spikec: Spikec) -> None:
    assert "capture: torch.export" in spikec("show", "nets:paired").out


def test_the_user_s_own_prints_stay_out_of_the_json(spikec: Spikec) -> None:
    answer = spikec("show", "nets:paired", "--json")
    assert answer.json["totals"]["params"] == 15
    assert "the user's own words" in answer.err


@pytest.mark.parametrize("model", ["nets:bare", "nets:ready"])
@pytest.mark.parametrize("shape", ["1x4", "3,4:float32", "x=2x4"])
def test_a_module_without_an_input_of_its_own_takes_a_shape(
    spikec: Spikec, model: str, shape: str
) -> None:
    answer = spikec("show", model, "--input", shape, "--json")
    assert answer.code == 0, answer.out
    assert answer.json["inputs"] == [{"name": "x", "type": "f32[B, 4]"}]


def test_a_pt2_file_is_shown(spikec: Spikec, models: Path) -> None:
    import torch

    program = torch.export.export(torch.nn.ReLU(), (torch.zeros(2, 4),))
    torch.export.save(program, models / "net.pt2")
    answer = spikec("show", "net.pt2", "--json")
    assert answer.code == 0, answer.out
    assert [node["op"] for node in answer.json["nodes"]] == ["Input", "ReLU", "Output"]


def test_an_import_is_kept_by_save(spikec: Spikec, models: Path) -> None:
    answer = spikec("show", "net.onnx", "-o", "kept.spk")
    assert answer.code == 0
    assert "wrote kept.spk" in answer.out
    graph, _ = load(models / "kept.spk")
    assert spikec("show", "kept.spk", "--json").json == spikec("show", "net.onnx", "--json").json
    assert graph.name == "net"


def test_quiet_writes_the_file_and_says_nothing(spikec: Spikec, models: Path) -> None:
    answer = spikec("show", "net.onnx", "--save", "kept.spk", "--quiet")
    assert (answer.code, answer.out, answer.err) == (0, "", "")
    assert (models / "kept.spk").is_file()


def test_dot_text_needs_no_graphviz(
    spikec: Spikec, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(models))
    assert spikec("show", "net.spk", "--dot", "net.dot").code == 0
    text = (models / "net.dot").read_text("utf-8")
    assert text.startswith('digraph "small" {')
    assert '"x" -> "fc" [label="f32[B, 4]"];' in text


def test_a_picture_without_graphviz_is_refused_before_the_model_is_read(
    spikec: Spikec, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(models))
    answer = spikec("show", "absent.onnx", "--dot", "net.svg")
    assert answer.code == 2
    assert "error: .svg pictures are drawn by Graphviz" in answer.err
    assert "remedy:   install it (apt install graphviz" in answer.err
    assert not (models / "net.svg").exists()


def fake_dot(folder: Path, script: str) -> None:
    program = folder / "dot"
    program.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_graphviz_gets_the_text_and_the_format(
    spikec: Spikec, models: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    fake_dot(models, 'echo "drawn $1"; read line; echo "$line"')
    monkeypatch.setenv("PATH", str(models))
    assert spikec("show", "net.spk", "--dot", f"net.{suffix}").code == 0
    written = (models / f"net.{suffix}").read_text("utf-8")
    assert written == f'drawn -T{suffix}\ndigraph "small" {{\n'


def test_a_failing_graphviz_leaves_no_file(
    spikec: Spikec, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_dot(models, "echo 'no memory' >&2; exit 3")
    monkeypatch.setenv("PATH", str(models))
    answer = spikec("show", "net.spk", "--dot", "net.svg")
    assert answer.code == 2
    assert "error: Graphviz failed: no memory" in answer.err
    assert not list(models.glob("*.svg"))


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_the_real_graphviz_draws_every_node(spikec: Spikec, models: Path) -> None:
    assert spikec("show", "net.onnx", "--dot", "net.svg").code == 0
    picture = (models / "net.svg").read_text("utf-8")
    names = [node["name"] for node in spikec("show", "net.onnx", "--json").json["nodes"]]
    assert picture.startswith("<?xml")
    assert all(f"<title>{name}</title>" in picture for name in names)
