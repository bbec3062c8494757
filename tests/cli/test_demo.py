"""`spikec demo` trains, imports, runs and checks; it says what it could not do."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from spikec.cli import demo as command
from spikec.ir.store import load
from tests.cli.conftest import Answer, Spikec

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:onnxscript")


def without(monkeypatch: pytest.MonkeyPatch, absent: str) -> None:
    """Let a package look absent."""
    find = importlib.util.find_spec

    def find_spec(name: str) -> ModuleSpec | None:
        return None if name == absent else find(name)

    monkeypatch.setattr("spikec.cli.demo.find_spec", find_spec)
    monkeypatch.setattr("spikec.cli.digits.find_spec", find_spec)


def test_the_demo_checks_every_route_and_keeps_its_files(spikec: Spikec, models: Path) -> None:
    answer = spikec("demo", "--out", "kept", "--json")
    assert answer.code == 0, answer.out
    seen = answer.json
    assert seen["passed"] is True
    assert seen["skipped"] == {}
    assert set(seen["difference"]) == {"PyTorch", "ONNX"}
    assert max(seen["difference"].values()) <= 1e-4
    assert set(seen["accuracy"]) == {"PyTorch", "spikec, from PyTorch", "spikec, from ONNX"}
    assert min(seen["accuracy"].values()) > 0.95
    assert len(seen["checks"]) == 9
    written = sorted(path.name for path in (models / "kept").iterdir())
    assert written == ["digits.onnx", "digits_onnx.spk", "digits_pytorch.spk"]
    graph, _ = load(models / "kept" / "digits_pytorch.spk")
    assert "classify" in graph


def one_epoch(spikec: Spikec, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Answer:
    monkeypatch.setattr("spikec.cli.digits.EPOCHS", 1)
    return spikec("demo", *arguments)


def test_without_onnxscript_the_route_is_skipped_aloud(
    spikec: Spikec, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "onnxscript")
    before = sorted(models.iterdir())
    answer = one_epoch(spikec, monkeypatch)
    assert (
        "skipped ONNX: PyTorch exports ONNX with onnxscript, which is not installed" in answer.out
    )
    assert 'pip install "spikec[demo]"' in answer.out
    assert sorted(models.iterdir()) == before


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
