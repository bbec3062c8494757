"""Targets are files that say who says so; what is wrong with one is told at once."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

import spikec
from spikec.errors import BadFile, UsageError
from spikec.ir import ops
from spikec.target import Fact, Target, load_target, targets
from spikec.target.model import SECTIONS

NAMES = [
    *("generic-binary", "generic-graded", "loihi1", "loihi2", "nir"),
    *("onnx", "sanafe-loihi", "speck", "spinnaker2", "truenorth"),
]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the targets of whoever runs the tests out of them."""
    folder = tmp_path / "targets"
    folder.mkdir()
    monkeypatch.setenv("SPIKEC_TARGETS", str(folder))
    return folder


def test_every_target_is_there() -> None:
    assert sorted(targets()) == NAMES == sorted(spikec.targets())


@pytest.mark.parametrize("name", NAMES)
def test_every_fact_has_a_source(name: str) -> None:
    target = load_target(name)
    facts = [
        fact
        for section in SECTIONS
        for option in fields(getattr(target, section))
        if isinstance(fact := getattr(getattr(target, section), option.name), Fact)
    ]
    assert len(facts) >= 15
    assert all(fact.source.strip() for fact in facts)
    assert all(kind.source.strip() for kind in target.neurons.values())


def test_the_figures_of_chips_are_those_of_their_sources() -> None:
    loihi, truenorth, speck = map(load_target, ("loihi1", "truenorth", "speck"))
    assert facts_of(loihi, "cores", "neurons_per_core", "input_axons_per_core") == [128, 1024, 4096]
    assert facts_of(loihi, "synapse_bits_per_core") == [16384 * 64]
    assert facts_of(truenorth, "cores", "neurons_per_core", "fan_in") == [4096, 256, 256]
    assert facts_of(speck, "cores", "neurons_per_core") == [9, 64 * 1024]
    kind = loihi.neurons[ops.IntegrateFire]
    assert kind.options["reset"] == (ops.Reset.HARD, ops.Reset.SOFT)
    assert kind.compartments[ops.Reset.SOFT].value == 2


def facts_of(target: Target, *names: str) -> list[int]:
    return [getattr(target.limits, name).value for name in names]


def test_a_file_says_only_what_differs_from_its_base(own_folder: Path) -> None:
    path = own_folder / "board.toml"
    path.write_text(
        'base = "loihi1"\nabout = "eight chips"\n'
        '[limits]\ncores = { value = 1024, source = "the board\'s manual" }\n',
        "utf-8",
    )
    board = load_target("board")
    assert board == load_target(path) == spikec.targets()["board"]
    assert board.limits.cores == Fact(1024, "the board's manual")
    assert board.limits.neurons_per_core == load_target("loihi1").limits.neurons_per_core


def test_a_file_of_the_users_replaces_one_of_the_same_name(own_folder: Path) -> None:
    text = 'base = "loihi1"\n[limits]\ncores = { value = 1, source = "mine" }\n'
    (own_folder / "loihi1.toml").write_text(text, "utf-8")
    mine = load_target("loihi1")
    assert mine.limits.cores == Fact(1, "mine")
    assert mine.origin == str(own_folder / "loihi1.toml")


WRONG = """
base = "loihi1"
abuot = "a typing error"
[limits]
coers = { value = 1, source = "x" }
cores = 12
neurons-per-core = { value = 1024 }
fan-in = { value = -3, source = "x" }
[weights]
sign = { value = "mixed-odd", source = "x" }
[operations]
allowed = { value = ["Convv"], source = "x" }
[neurons.IntegrateFire]
source = "x"
reset = ["hardd"]
resett = ["hard"]
[neurons.IntegrateAndFire]
source = "x"
"""


def test_all_that_is_wrong_with_a_file_comes_in_one_error(own_folder: Path) -> None:
    path = own_folder / "wrong.toml"
    path.write_text(WRONG, "utf-8")
    with pytest.raises(BadFile) as caught:
        load_target(path)
    told = {(p.where, p.what): p.remedy for p in caught.value.problems}
    assert told == {
        ("the file", "unknown key 'abuot'"): "did you mean about?",
        ("limits", "unknown key 'coers'"): "did you mean cores?",
        ("limits.cores", "12 without a source"): _SOURCE,
        ("limits.neurons-per-core", "a value without a source"): _SOURCE,
        ("limits.fan-in", "-3"): "",
        ("weights.sign", "'mixed-odd'"): "did you mean mixed-even?",
        ("operations.allowed", "['Convv']"): "did you mean Conv?",
        ("neurons.IntegrateFire", "unknown key 'resett'"): "did you mean reset?",
        ("neurons.IntegrateFire.reset", "'hardd'"): "did you mean hard?",
        ("neurons", "unknown key 'IntegrateAndFire'"): "did you mean IntegrateFire?",
    }


_SOURCE = 'say who says so, or source = "not published; assumption"'


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("about = ", "not a TOML file"),
        ('base = "loihi3"', "base = 'loihi3'"),
        ("base = 3", "base = 3"),
        ('base = "own"', "base = 'own'"),
        ("", "target 'own' cannot be read"),
        ("limits = 3", "target 'own' cannot be read"),
        ("\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "not a TOML file"),
    ],
)
def test_a_file_that_cannot_be_a_target_is_refused(own_folder: Path, text: str, what: str) -> None:
    path = own_folder / "own.toml"
    path.write_text(text, "latin-1")
    with pytest.raises(BadFile) as caught:
        load_target(path)
    assert caught.value.what == what
    assert caught.value.where == str(path)


def test_targets_that_stand_on_each_other_are_refused(own_folder: Path) -> None:
    (own_folder / "a.toml").write_text('base = "b"', "utf-8")
    (own_folder / "b.toml").write_text('base = "a"', "utf-8")
    with pytest.raises(BadFile, match="base = 'a'"):
        load_target("a")


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean loihi1"):
        load_target("lohi1")
    with pytest.raises(BadFile, match="no such file"):
        load_target("nowhere.toml")


def test_a_folder_of_targets_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIKEC_TARGETS", "nowhere")
    with pytest.raises(UsageError, match="SPIKEC_TARGETS=nowhere"):
        targets()
