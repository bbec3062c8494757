"""`spikec demo` trains, imports, runs and checks; it says what it could not do."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

import spikec as package
from spikec.cli import demo_import as command
from spikec.cli.backends import states
from spikec.cli.demo_convert import RECIPES
from spikec.ir.store import load
from tests.cli.conftest import Answer, Spikec

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:onnxscript")


def without(monkeypatch: pytest.MonkeyPatch, absent: str) -> None:
    """Let a package look absent."""
    find = importlib.util.find_spec

    def find_spec(name: str) -> ModuleSpec | None:
        return None if name == absent else find(name)

    monkeypatch.setattr("spikec.cli.demo_import.find_spec", find_spec)
    monkeypatch.setattr("spikec.cli.digits.find_spec", find_spec)


def test_the_demo_checks_every_route_and_keeps_its_files(spikec: Spikec, models: Path) -> None:
    answer = spikec("demo", "--out", "kept", "--json")
    assert answer.code == 0, answer.out
    seen = answer.json
    assert seen["passed"] is True
    assert set(seen["difference"]) == {"PyTorch", "ONNX"}
    assert max(seen["difference"].values()) <= 1e-4
    assert set(seen["accuracy"]) == {"PyTorch", "spikec, from PyTorch", "spikec, from ONNX"}
    assert min(seen["accuracy"].values()) > 0.95
    assert [row["recipe"] for row in seen["programs"]] == list(RECIPES)
    assert max(row["drop_points"] for row in seen["programs"]) <= 2
    assert all(row["energy_pj"] > 0 for row in seen["programs"])
    kept = models / "kept"
    written = {path.name for path in kept.iterdir()}
    assert written >= {"digits.onnx", "digits_onnx.spk", "digits_pytorch.spk", "report.html"}
    assert written >= {f"{recipe}.spk" for recipe in RECIPES}
    assert {kept / Path(name).name for name in seen["files"]} == {
        path for path in kept.iterdir() if path.name != "written-by-spikec-demo"
    }
    graph, _ = load(kept / "digits_pytorch.spk")
    assert "classify" in graph
    program = package.load(kept / "rate.spk")
    assert program.steps == seen["programs"][0]["steps"]
    all_backends_are_told(spikec, seen, kept)


def all_backends_are_told(spikec: Spikec, seen: dict[str, Any], kept: Path) -> None:
    """Each one is verified, or named with what it needs."""
    doctor = {state["name"]: state for state in spikec("doctor", "--json").json["backends"]}
    assert set(seen["exports"]) | set(seen["skipped"]) == set(doctor)
    assert "onnx_graph" in seen["exports"]
    for name, found in seen["exports"].items():
        assert found["ok"] is True
        assert all(check["compared"]["unequal"] == 0 for check in found["checks"])
        assert (kept / name / "manifest.json").is_file()
    for name, reason in seen["skipped"].items():
        state = doctor[name]
        told = [*state["missing"], state["install"]] if state["built"] else ["not in this version"]
        assert all(part in reason for part in told)


def one_epoch(spikec: Spikec, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Answer:
    monkeypatch.setattr("spikec.cli.digits.EPOCHS", 1)
    monkeypatch.setattr("spikec.cli.demo_deploy.states", lambda: states()[:1])
    return spikec("demo", *arguments)


def test_without_onnxscript_the_route_is_skipped_aloud(
    spikec: Spikec, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "onnxscript")
    answer = one_epoch(spikec, monkeypatch)
    assert (
        "skipped ONNX: PyTorch exports ONNX with onnxscript, which is not installed" in answer.out
    )
    assert 'pip install "spikec[demo]"' in answer.out
    assert not (models / "spikec-demo" / "digits.onnx").exists()
    assert (models / "spikec-demo" / "report.html").is_file()


def test_an_earlier_demo_is_replaced_and_nothing_else(
    spikec: Spikec, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (models / "mine").mkdir()
    (models / "mine" / "thesis.txt").write_text("years of work", "utf-8")
    refused = spikec("demo", "--out", "mine")
    assert refused.code == 2
    assert "the folder is not empty" in refused.err
    assert (models / "mine" / "thesis.txt").is_file()
    (models / "old").mkdir()
    (models / "old" / "written-by-spikec-demo").touch()
    (models / "old" / "stale.spk").touch()
    without(monkeypatch, "onnxscript")
    one_epoch(spikec, monkeypatch, "--out", "old")
    assert not (models / "old" / "stale.spk").exists()
    assert (models / "old" / "report.html").is_file()


def test_a_check_that_fails_is_1(spikec: Spikec, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "onnxscript")
    monkeypatch.setattr(command, "LEAST_ACCURACY", 1.01)
    answer = one_epoch(spikec, monkeypatch)
    assert answer.code == 1
    assert "FAILED" in answer.out
    assert answer.out.endswith("a check failed\n")


def test_without_scikit_learn_the_line_that_installs_it_is_told(
    spikec: Spikec, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "sklearn")
    answer = spikec("demo")
    assert answer.code == 2
    assert 'remedy:   pip install "spikec[demo]"' in answer.err


def test_the_same_seed_trains_the_same_network(spikec: Spikec) -> None:
    import torch

    from spikec.cli import digits

    data = digits.load_digits(7)
    state = torch.random.get_rng_state()
    first, second = (digits.trained_network(data, 7, lambda parts: None) for _ in range(2))
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    assert torch.equal(torch.random.get_rng_state(), state)
