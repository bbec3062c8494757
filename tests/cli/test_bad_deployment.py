"""Names that are nearly right, damaged programs, edited targets: alike for every command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import spikec as package
from spikec.registry import backends
from spikec.target import targets
from tests.cli.conftest import Spikec
from tests.passes.helpers import mlp

X = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
BACKENDS, TARGETS = tuple(backends()), tuple(targets())
COMMANDS = {
    "check": ["check", "made.spk", "--target", "loihi1"],
    "lower": ["lower", "made.spk", "--target", "loihi1", "-o", "out.spk"],
    "eval": ["eval", "made.spk", "--data", "data.npz"],
    **{f"export-{b}": ["export", "made.spk", "--to", b, "-o", "out"] for b in BACKENDS},
    **{f"verify-{b}": ["verify", "made.spk", "--on", b, "--data", "data.npz"] for b in BACKENDS},
}
every_command = pytest.mark.parametrize("name", COMMANDS)


@pytest.fixture(autouse=True)
def files(models: Path) -> None:
    np.savez(models / "data.npz", x=X)
    package.convert(mlp(4, 5, 3), X, 4, "rate").save(models / "made.spk")


def assert_told(spikec: Spikec, models: Path, arguments: list[str], *told: str) -> str:
    """One block on stderr, exit code 2, and the folder as it was."""
    before = sorted(models.rglob("*"))
    answer = spikec(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("error: ")
    assert "expected: " in answer.err or "remedy:   " in answer.err
    assert all(word in answer.err for word in told), answer.err
    assert "Traceback" not in answer.err
    assert sorted(models.rglob("*")) == before
    return answer.err


def misspelt(name: str) -> str:
    """Swap the two letters in the middle that differ."""
    at = next(i for i in range(len(name) // 2, len(name) - 1) if name[i] != name[i + 1])
    return f"{name[:at]}{name[at + 1]}{name[at]}{name[at + 2 :]}"


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_nearest_backend_is_suggested(spikec: Spikec, models: Path, backend: str) -> None:
    wrong = misspelt(backend)
    told = (f"no backend is called '{wrong}'", f"did you mean {backend}?")
    assert_told(spikec, models, ["export", "made.spk", "--to", wrong, "-o", "out"], *told)
    verify = ["verify", "made.spk", "--on", wrong, "--data", "data.npz"]
    assert_told(spikec, models, verify, *told)


@pytest.mark.parametrize("target", TARGETS)
def test_the_nearest_target_is_suggested(spikec: Spikec, models: Path, target: str) -> None:
    wrong = misspelt(target)
    told = (f"no target '{wrong}'", f"did you mean {target}?")
    for command in (["check", "made.spk"], ["lower", "made.spk", "-o", "out.spk"]):
        assert_told(spikec, models, [*command, "--target", wrong], *told)
    assert_told(spikec, models, ["targets", wrong], *told)


@every_command
@pytest.mark.parametrize("damage", ["cut", "flipped", "longer", "empty"])
def test_a_damaged_program_is_told_by_every_command(
    spikec: Spikec, models: Path, name: str, damage: str
) -> None:
    intact = (models / "made.spk").read_bytes()
    flipped = bytearray(intact)
    flipped[len(intact) * 2 // 3] ^= 16
    damaged = {
        "cut": intact[:-9],
        "flipped": bytes(flipped),
        "longer": intact + b"\0",
        "empty": b"",
    }
    (models / "made.spk").write_bytes(damaged[damage])
    assert_told(spikec, models, COMMANDS[name], "made.spk")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "check"])
def test_a_graph_that_was_never_converted_is_told(spikec: Spikec, models: Path, name: str) -> None:
    command = ["net.spk" if word == "made.spk" else word for word in COMMANDS[name]]
    assert_told(spikec, models, command, "never converted", "spikec convert")


EDITED = {
    "cores = 12": ("12 without a source", 'source = "not published; assumption"'),
    'cores = { value = -3, source = "me" }': ("-3", "a whole number, 0 or more"),
    'coers = { value = 12, source = "me" }': ("unknown key 'coers'", "did you mean cores?"),
    "cores = { value = 12 }": ("a value without a source",),
    "cores = [": ("not a TOML file",),
}


@pytest.mark.parametrize("line", EDITED)
@pytest.mark.parametrize("name", ["check", "lower"])
def test_an_edited_target_with_wrong_fields_is_told(
    spikec: Spikec, models: Path, name: str, line: str
) -> None:
    (models / "own.toml").write_text(f'base = "loihi1"\n[limits]\n{line}\n', "utf-8")
    command = ["own.toml" if word == "loihi1" else word for word in COMMANDS[name]]
    assert_told(spikec, models, command, "own.toml", *EDITED[line])


@pytest.mark.parametrize("backend", BACKENDS)
def test_places_that_cannot_be_written_are_told(spikec: Spikec, models: Path, backend: str) -> None:
    places = {".": "not empty", "data.npz": "a file stands", "no/such": "no such folder"}
    for place, told in places.items():
        command = ["export", "made.spk", "--to", backend, "-o", place]
        assert_told(spikec, models, command, told)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_export_of_another_backend_is_told(spikec: Spikec, models: Path, backend: str) -> None:
    others = [name for name in BACKENDS if name != backend and not backends()[name].load().target]
    package.load(models / "made.spk").export(others[0], models / "other")
    command = ["verify", "made.spk", "--on", backend, "--data", "data.npz", "--artifact", "other"]
    assert_told(spikec, models, command, f"an export for {others[0]}", f"one for {backend}")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_folder_that_is_no_export_is_told(spikec: Spikec, models: Path, backend: str) -> None:
    (models / "empty").mkdir()
    command = ["verify", "made.spk", "--on", backend, "--data", "data.npz", "--artifact", "empty"]
    assert_told(spikec, models, command, "no export", "spikec export writes one")
