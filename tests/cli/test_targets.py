"""``spikec targets`` and ``spikec check``: what is listed, what is refused, and exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from spikec.ir.store import save
from spikec.target import targets
from tests.cli.conftest import Spikec
from tests.target.nets import SOFT, conv, linear, spiking


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "own_targets"
    folder.mkdir()
    monkeypatch.setenv("SPIKEC_TARGETS", str(folder))


@pytest.fixture
def programs(models: Path) -> Path:
    legal = spiking((4,), lambda edit, x: edit.add(linear(4, 5), x))
    save(legal, models / "legal.spk")
    large = spiking((4, 12, 12), lambda edit, x: edit.add(conv(4, 8), x), SOFT)
    save(large, models / "large.spk")
    return models


def test_all_targets_are_listed(spikec: Spikec) -> None:
    answer = spikec("targets")
    assert answer.code == 0
    assert all(name in answer.out for name in targets())
    listed = spikec("targets", "--json").json
    assert [row["name"] for row in listed] == list(targets())


def test_a_target_is_shown_with_the_source_of_each_number(spikec: Spikec) -> None:
    answer = spikec("targets", "loihi1")
    assert answer.code == 0
    assert "limits.neurons-per-core" in answer.out
    assert "nengo-loihi, block.py: MAX_COMPARTMENTS" in answer.out
    facts = spikec("targets", "loihi1", "--json").json["facts"]
    assert facts["limits.neurons-per-core"]["value"] == 1024
    assert facts["neurons.IntegrateFire"]["value"]["reset"] == ["hard", "soft"]
    assert all(fact["source"] for fact in facts.values())


def test_an_unknown_target_is_misuse_and_the_nearest_is_named(spikec: Spikec) -> None:
    answer = spikec("targets", "loihi")
    assert answer.code == 2
    assert "did you mean loihi" in answer.err


def test_a_program_that_fits_ends_with_0(spikec: Spikec, programs: Path) -> None:
    answer = spikec("check", "legal.spk", "--target", "loihi1")
    assert (answer.code, answer.err) == (0, "")
    assert "loihi1 can run it" in answer.out
    assert "2 layers, 9 neurons, 20 synapses; cores: 1 of 128 (1 chip)" in answer.out


def test_what_a_target_cannot_do_ends_with_1(spikec: Spikec, programs: Path) -> None:
    answer = spikec("check", "large.spk", "--target", "loihi1")
    assert answer.code == 1
    assert "loihi1 cannot run it: 2 violations" in answer.out
    assert "neuron-option: comparison '>='\n  where:    %first = IntegrateFire" in answer.out
    assert answer.out.count("… and 1 more like it") == 1
    every = spikec("check", "large.spk", "--target", "loihi1", "--all")
    assert every.out.count("comparison '>='") == 2
    told = spikec("check", "large.spk", "--target", "loihi1", "--json")
    assert told.code == 1
    assert [v["rule"] for v in told.json["violations"]] == ["neuron-option"] * 2
    assert told.json["resources"]["neurons"] == 12 * 144
    assert told.json["ok"] is False


def test_a_file_of_ones_own_is_a_target(spikec: Spikec, programs: Path) -> None:
    text = 'base = "loihi1"\n[limits]\ncores = { value = 0, source = "none left" }\n'
    (programs / "none.toml").write_text(text, "utf-8")
    answer = spikec("check", "legal.spk", "--target", "none.toml", "--json")
    assert answer.code == 1
    assert [v["what"] for v in answer.json["violations"]] == ["1 cores"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["net.onnx", "--target", "loihi1"], "spikec check reads programs"),
        (["nowhere.spk", "--target", "loihi1"], "no such file"),
        (["legal.spk", "--target", "nowhere.toml"], "no such file"),
        (["cut.spk", "--target", "loihi1"], "error"),
        (["legal.spk"], "--target"),
    ],
)
def test_misuse_ends_with_2(
    spikec: Spikec, programs: Path, arguments: list[str], told: str
) -> None:
    answer = spikec("check", *arguments)
    assert answer.code == 2
    assert told in answer.err
