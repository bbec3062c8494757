"""Every mistake ends in one block that says what, where, expected and remedy; never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from spikec.cli import start
from spikec.errors import Problem, SpikecError
from spikec.ir import Graph
from spikec.ir.verify import verify
from tests.cli.conftest import Spikec, onnx_model

MISTAKES = [
    # commands and options
    (["shw", "net.onnx"], "No such command 'shw'. Did you mean 'show'?"),
    (["doctr"], "Did you mean 'doctor'?"),
    (["--verson"], "--version"),
    (["show"], "Missing argument 'MODEL'"),
    (["show", "net.onnx", "--txt"], "--text"),
    (["show", "net.onnx", "--jsn"], "--json"),
    (["show", "net.onnx", "--inptu", "1x4"], "--input"),
    (["show", "net.onnx", "net.spk"], "unexpected extra argument"),
    (["doctor", "--depe"], "--deep"),
    (["demo", "--sed", "1"], "--seed"),
    (["demo", "--seed", "one"], "--seed"),
    (["demo", "--seed", "-1"], "--seed"),
    # files
    (["show", ""], "MODEL is empty"),
    (["show", "nett.onnx"], "did you mean net.onnx?"),
    (["show", "nett.spk"], "did you mean net.spk?"),
    (["show", "empty.onnx"], "the file is empty"),
    (["show", "noise.onnx"], "noise.onnx"),
    (["show", "cut.spk"], "cut.spk"),
    (["show", "folder.onnx"], "a folder, not a file"),
    (["show", "weights.pth"], "this is a pickle"),
    (["show", "nets.py"], "spikec show module:factory"),
    (["show", "absent/net.onnx"], "the folder absent cannot be read"),
    (["show", "net.spk", "--input", "1x4"], "a .spk file needs no --input"),
    # factories
    (["show", "nest:paired"], "did you mean nets?"),
    (["show", "nets:pared"], "did you mean nets:paired?"),
    (["show", "nets:needy"], "nets:needy needs arguments: width"),
    (["show", "nets:failing"], "nets:failing() raised KeyError: 'lost'"),
    (["show", "nets:leaving"], "nets:leaving() raised SystemExit: 5"),
    (["show", "nets:constant"], "nets:constant is a int, no model"),
    (["show", "nets:numbers"], "a builtins.float is not a model"),
    (["show", "nets:bare"], "example input"),
    (["show", "nets:branching"], "nets.py"),
    (["show", "halfway:net"], "No module named 'no_such_library'"),
    (["show", "wrong:net"], "wrong.py:1"),
    # shapes
    (["show", "nets:bare", "--input", "1x"], "'1x' is no shape"),
    (["show", "nets:bare", "--input", "1x4:int6"], "did you mean int64?"),
    (["show", "nets:bare", "--input", "1x0"], "'1x0' has 0 elements"),
    (["show", "nets:bare", "--input", "99999x99999"], "elements"),
    (["show", "nets:bare", "-i", "1x4", "-i", "x=1x4"], "inputs by position and by name"),
    (["show", "nets:bare", "--input", "2x5"], "5"),
    (["show", "nets:bare", "--input", "y=2x4"], "y"),
    # files to write
    (["show", "net.onnx", "--save", "out.onnx"], "--save out.spk"),
    (["show", "net.onnx", "--save", ""], "--save writes .spk files"),
    (["show", "net.onnx", "--save", "absent/out.spk"], "mkdir -p absent"),
    (["show", "net.onnx", "--dot", "net.svgz"], "did you mean net.svg?"),
    (["show", "net.onnx", "--dot", ""], "--dot cannot write a file without suffix"),
    (["show", "net.onnx", "--dot", "absent/net.dot"], "no such folder"),
    (["demo", "--out", "net.onnx"], "a file stands in the folder's place"),
]


@pytest.mark.parametrize(("arguments", "told"), MISTAKES, ids=lambda value: str(value)[:60])
def test_a_mistake_is_told_in_one_block(
    spikec: Spikec, models: Path, arguments: list[str], told: str
) -> None:
    before = sorted(models.rglob("*"))
    answer = spikec(*arguments)
    assert answer.code == 2
    assert answer.out == ""
    assert "error: " in answer.err
    assert told in answer.err
    assert "Traceback" not in answer.err
    after = [path for path in sorted(models.rglob("*")) if "__pycache__" not in str(path)]
    assert after == before


@pytest.mark.parametrize(
    "arguments",
    [["shw"], ["show"], ["show", "absent.onnx"], ["show", "nets:failing"], ["doctor", "--depe"]],
    ids=" ".join,
)
def test_with_json_errors_are_json_on_stdout(spikec: Spikec, arguments: list[str]) -> None:
    answer = spikec(*arguments, "--json")
    assert answer.code == 2
    assert set(answer.json) == {"error", "what", "where", "expected", "remedy", "problems"}
    assert "error:" not in answer.err


def test_all_unsupported_nodes_are_listed_with_their_places(spikec: Spikec, models: Path) -> None:
    (models / "strange.onnx").write_bytes(onnx_model("NonZero"))
    answer = spikec("show", "strange.onnx")
    assert answer.code == 2
    assert "NonZero" in answer.err
    assert "/last" in answer.err


def test_a_locked_file_is_told(spikec: Spikec, monkeypatch: pytest.MonkeyPatch) -> None:
    # the superuser, who may run this, may read every file: so the answer of the system is set
    monkeypatch.setattr("spikec.api.os.access", lambda *_: False)
    answer = spikec("show", "net.onnx")
    assert answer.code == 2
    assert "error: no permission to read the file" in answer.err
    assert "remedy:   chmod u+r net.onnx" in answer.err


def test_two_formats_at_once_are_refused(spikec: Spikec) -> None:
    answer = spikec("show", "net.onnx", "--text", "--json")
    assert answer.code == 2
    assert answer.json["what"] == "--text and --json exclude each other"


def test_debug_adds_the_traceback(spikec: Spikec) -> None:
    answer = spikec("show", "nets:failing", "--debug")
    assert answer.code == 2
    assert "Traceback" in answer.err
    assert 'raise KeyError("lost")' in answer.err
    assert "error: nets:failing() raised KeyError: 'lost'" in answer.err


def test_a_failed_check_is_1(spikec: Spikec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spikec.cli.model.load_graph", lambda *_: verify(Graph("empty")))
    answer = spikec("show", "net.onnx")
    assert answer.code == 1
    assert "error: graph 'empty' breaks 2 rules" in answer.err


def test_broken_weights_are_told_with_their_place(spikec: Spikec, models: Path) -> None:
    nan = "    net = Net()\n    net.fc.weight.data[1, 2] = float('nan')\n"
    with (models / "nets.py").open("a", encoding="utf-8") as file:
        file.write(f"\ndef broken():\n{nan}    return net, torch.zeros(2, 4)\n")
    answer = spikec("show", "nets:broken")
    assert answer.code == 2
    assert "NaN" in answer.err
    assert "fc.weight" in answer.err


def test_a_fault_of_ours_is_told_as_one(spikec: Spikec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spikec.cli.model.load_graph", lambda *_: 1 / 0)
    answer = spikec("show", "net.onnx")
    assert answer.code == start.BUG
    assert "error: a fault of spikec: ZeroDivisionError: division by zero" in answer.err
    assert "--debug" in answer.err
    assert "Traceback" not in answer.err


def test_all_problems_of_an_error_are_printed(
    spikec: Spikec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise SpikecError("two things", problems=[Problem("one", "here"), Problem("two", "there")])

    monkeypatch.setattr("spikec.cli.model.load_graph", refuse)
    lines = spikec("show", "net.onnx").err.splitlines()
    assert lines == ["error: two things", "- one", "  where:    here", "- two", "  where:    there"]


def test_an_interrupt_is_told_and_gives_130(
    spikec: Spikec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("spikec.cli.model.load_graph", interrupt)
    answer = spikec("show", "net.onnx")
    assert (answer.code, answer.out, answer.err) == (130, "", "interrupted\n")
