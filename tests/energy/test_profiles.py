"""Profiles: every figure has a source; files that are wrong are told all that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from spikec.energy.catalog import load_profile, profiles
from spikec.energy.counts import Counts, Stores, Work
from spikec.energy.price import price
from spikec.energy.profile import Profile
from spikec.energy.storage import Storage
from spikec.errors import BadFile, UsageError

OWN = """
about = "my chip"
leaves-out = "the host"

[operations]
ac = { value = 2, source = "me", leaves-out = "nothing" }
ac-conv = { value = 1.5, source = "me", leaves-out = "nothing" }
mac = { value = 7, source = "me", leaves-out = "nothing" }

[neurons]
update = { value = 3, source = "me", leaves-out = "nothing" }

[network]
message = { value = 10, source = "me", leaves-out = "nothing" }
hop-x = { value = 0.5, source = "me", leaves-out = "nothing" }
hop-y = { value = 0.25, source = "me", leaves-out = "nothing" }

[memory]
points = { value = [[0, 0], [1000, 8], [2000, 16]], source = "me", leaves-out = "nothing" }
access-bytes = { value = 4, source = "me", leaves-out = "nothing" }
queue-bytes = { value = 1000, source = "me", leaves-out = "nothing" }
beyond = { value = 400, source = "me", leaves-out = "nothing" }
"""
KNOWN = {
    "horowitz45-fp32": (0.9, 4.6),
    "horowitz45-fp16": (0.4, 1.5),
    "horowitz45-int8": (0.03, 0.23),
    "horowitz45-mem": (0.9, 4.6),
    "lemaire2022": (0.1, 3.2),
    "loihi1-davies2018": (23.6, None),
    "loihi1-sanafe": (35.5, None),
    "truenorth": (26, None),
    "spinnaker1": (13300, None),
    "spinnaker2": (450, None),
    "qiao2015": (0.077, 12.5),
    "odin": (12.7, None),
}
"""pJ of an AC and of a MAC"""


@pytest.fixture
def own(tmp_path: Path) -> Profile:
    path = tmp_path / "own.toml"
    path.write_text(OWN, "utf-8")
    return load_profile(path)


def test_the_figures_are_those_of_the_papers() -> None:
    found = {
        name: (p.operations.ac.value, None if p.operations.mac is None else p.operations.mac.value)
        for name, p in profiles().items()
    }
    assert found == KNOWN


@pytest.mark.parametrize("name", KNOWN)
def test_every_figure_says_who_and_what_not(name: str) -> None:
    profile = load_profile(name)
    figures = list(profile.figures())
    assert figures
    assert all(figure.source and figure.leaves_out for _, figure, _ in figures)
    assert profile.leaves_out
    assert set(profile.to_json()["figures"]) == {key for key, _, _ in figures}


def test_each_count_meets_its_own_price(own: Profile) -> None:
    counts = Counts(
        macs=2, acs=3, shift_adds=4, adds=99, updates=5, events=99, messages=6, hops_x=8, hops_y=12
    )
    found = price(Work(counts, storage=Storage.MATRIX), own)
    assert (found.macs, found.acs, found.updates) == (14, 8, 15)
    assert (found.adds, found.events) == (0, 0)
    assert found.messages == 60 + 4 + 3
    assert price(Work(counts, storage=Storage.KERNEL), own).acs == 6
    assert price(Work(counts, storage=Storage.LISTED), own).acs == 8


def test_bytes_are_priced_by_the_memory_they_lie_in(own: Profile) -> None:
    stores = Stores(weights=1500, states=5000, written=250)
    counts = Counts(weight_read=4, state_read=4, state_written=8, value_read=12, value_written=16)
    found = price(Work(counts, stores), own).memory
    assert found == 12 + 3 * 400 + 3 * 8 + 4 * 2


def test_all_that_is_wrong_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    wrong = OWN
    for old, new in (
        ("ac = { value = 2,", "ac = { value = -2,"),
        ("ac-conv = ", "ac-cnv = "),
        ('mac = { value = 7, source = "me",', "mac = { value = 7,"),
        ("update = { value = 3,", "update = {"),
        ("message = { value = 10,", 'message = { value = "ten",'),
        ("access-bytes = { value = 4", "access-bytes = { value = 0"),
        ("[2000, 16]", "[500, 16]"),
        ('leaves-out = "the host"', ""),
    ):
        assert old in wrong
        wrong = wrong.replace(old, new, 1)
    path = tmp_path / "wrong.toml"
    path.write_text(wrong, "utf-8")
    with pytest.raises(BadFile, match=r"profile 'wrong' cannot be read") as caught:
        load_profile(str(path))
    told = [(problem.what, problem.where) for problem in caught.value.problems]
    assert told == [
        ("no leaves-out", "the file"),
        ("unknown key 'ac-cnv'", f"operations.ac-cnv, {path}:7"),
        ("-2", f"operations.ac, {path}:6"),
        ("no source", f"operations.mac, {path}:8"),
        ("a number is missing", f"neurons.update, {path}:11"),
        ("'ten' is no number", f"network.message, {path}:14"),
        ("sizes that do not rise", f"memory.points, {path}:19"),
        ("0", f"memory.access-bytes, {path}:20"),
    ]
    assert caught.value.problems[1].remedy == "did you mean ac-conv?"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("about = ", "not a TOML file"),
        ('about = "x"\nleaves-out = "y"\n', "a number is missing"),
        ('about = "x"\nleaves-out = "y"\noperations = 3\n', "3 is no table"),
        ('about = "x"\nleaves-out = "y"\n[operations]\nac = nan\n', "nan without a source"),
    ],
)
def test_files_that_are_no_profiles(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(BadFile, match=told):
        load_profile(path)


def test_names_that_nobody_has(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"did you mean horowitz45-fp32\?") as caught:
        load_profile("horowitz-fp32")
    assert all(name in str(caught.value) for name in KNOWN)
    with pytest.raises(BadFile, match="no such file"):
        load_profile(tmp_path / "absent.toml")
