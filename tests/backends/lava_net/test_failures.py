"""Lava missing, hanging or breaking off: each is told, with what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

import spikec
from spikec.artifact import Artifact
from spikec.backends.lava_net import LavaExporter, environment, installing
from spikec.errors import MissingDependency, SpikecError, ToolFailed, UsageError
from tests.passes.helpers import mlp

X = np.random.default_rng(0).normal(size=(16, 3)).astype(np.float32)
HANGS = """
    import os, sys, time
    print("hanging", flush=True)
    os.fork()
    with open(os.environ["SPIKEC_TEST_PROCESSES"], "a") as file:
        file.write(f"{os.getpid()} ")
    time.sleep(600)
"""


@pytest.fixture
def program() -> spikec.Program:
    return spikec.convert(mlp(3, 4, 2), X, 4, "graded")


@pytest.fixture
def artifact(program: spikec.Program, tmp_path: Path) -> Artifact:
    return program.export("lava_net", tmp_path / "out")


def stand_in(folder: Path) -> Path:
    """Make what looks like a Python with Lava: ours."""
    home = folder / "home"
    home.mkdir()
    lava = {"python": sys.executable, "version": "0.10.0", "netx": "", "runs_on": "3"}
    stamp = {"format": environment.FORMAT, "lava": lava}
    (home / environment.STAMP).write_text(json.dumps(stamp), "utf-8")
    return home


@pytest.fixture
def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(environment.PYTHON, raising=False)
    monkeypatch.setenv(environment.HOME, str(stand_in(tmp_path)))


def test_without_lava_it_is_told_what_to_run(
    program: spikec.Program, artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(environment.PYTHON, raising=False)
    monkeypatch.setenv(environment.HOME, str(tmp_path / "nowhere"))
    with pytest.raises(MissingDependency, match="no Python with Lava") as caught:
        program.verify("lava_net", X, artifact)
    assert "spikec lava-setup" in caught.value.remedy
    assert environment.seen() == ""


@pytest.mark.usefixtures("pretended")
def test_a_run_that_never_returns_is_ended_with_all_its_processes(
    program: spikec.Program, artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (artifact.folder / "run_lava.py").write_text(textwrap.dedent(HANGS), "utf-8")
    processes = tmp_path / "processes"
    monkeypatch.setenv("SPIKEC_TEST_PROCESSES", str(processes))
    monkeypatch.setenv("SPIKEC_LAVA_LIMIT", "2")
    start = time.monotonic()
    with pytest.raises(ToolFailed, match="Lava was ended: it had not come to an end after 2") as c:
        program.verify("lava_net", X, artifact)
    assert time.monotonic() - start < 10
    assert "SPIKEC_LAVA_LIMIT" in c.value.remedy
    assert "hanging" in str(c.value)
    numbers = [int(word) for word in processes.read_text().split()]
    assert len(numbers) == 2
    time.sleep(0.2)
    for number in numbers:
        state = Path(f"/proc/{number}/stat")
        assert not state.exists() or " Z " in state.read_text()


@pytest.mark.usefixtures("pretended")
def test_a_run_that_breaks_off_shows_its_last_words(
    program: spikec.Program, artifact: Artifact
) -> None:
    (artifact.folder / "run_lava.py").write_text("raise RuntimeError('no such core')", "utf-8")
    with pytest.raises(ToolFailed, match="broke off") as caught:
        program.verify("lava_net", X, artifact)
    assert "RuntimeError: no such core" in str(caught.value)
    assert caught.value.remedy


@pytest.mark.usefixtures("pretended")
def test_a_run_that_writes_nothing_has_failed(program: spikec.Program, artifact: Artifact) -> None:
    (artifact.folder / "run_lava.py").write_text("print('done')", "utf-8")
    with pytest.raises(ToolFailed, match="broke off"):
        program.verify("lava_net", X, artifact)


@pytest.mark.parametrize("name", ["missing", "plain"])
def test_a_named_python_without_lava_is_told(
    name: str, artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = sys.executable if name == "plain" else str(tmp_path / "python")
    monkeypatch.setenv(environment.PYTHON, python)
    with pytest.raises(ToolFailed, match="this Python has no working Lava") as caught:
        LavaExporter().run(artifact, {"x": X}, "float")
    assert caught.value.where == python
    assert "spikec lava-setup" in caught.value.remedy


def test_an_option_comes_before_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(environment.PYTHON, "from the variable")
    with pytest.raises(ToolFailed) as caught:
        environment.find("from the option")
    assert caught.value.where == "from the option"


# ---- environments ----


@pytest.mark.parametrize("stamp", ["", "{}", '{"format": 0}', '{"format": 1, "lava": {"x": 1}}'])
def test_half_an_environment_is_no_environment(stamp: str, tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").write_text("", "utf-8")
    assert environment.private(tmp_path) is None
    (tmp_path / environment.STAMP).write_text(stamp, "utf-8")
    assert environment.private(tmp_path) is None


def test_an_environment_whose_python_is_gone_is_none(tmp_path: Path) -> None:
    home = stand_in(tmp_path)
    assert environment.private(home) is not None
    text = (home / environment.STAMP).read_text("utf-8").replace(sys.executable, "/nowhere/python")
    (home / environment.STAMP).write_text(text, "utf-8")
    assert environment.private(home) is None


@pytest.mark.slow
def test_without_network_it_is_told_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    said: list[str] = []
    with pytest.raises(ToolFailed, match="pip failed") as caught:
        installing.setup(tmp_path / "lava", say=said.append)
    assert "check the network" in caught.value.remedy
    assert "No matching distribution" in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert said[0].startswith("making an environment")


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear", "utf-8")
    with pytest.raises(UsageError, match="something else"):
        installing.setup(tmp_path)
    assert (tmp_path / "letter.txt").read_text("utf-8") == "dear"


@pytest.mark.slow
def test_a_broken_environment_is_found_out_and_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = stand_in(tmp_path)  # ours has no Lava, whatever the stamp says
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    said: list[str] = []
    with pytest.raises(SpikecError):
        installing.setup(home, say=said.append)
    assert any("does not work any more" in line for line in said)
    assert environment.private(home) is None  # it is not taken for a good one any more


@pytest.mark.slow
def test_setup_leaves_an_environment_that_works_as_it_is(tmp_path: Path) -> None:
    first = environment.find()
    folder = tmp_path / "again"
    command = [sys.executable, "-m", "spikec", "lava-setup", "--json", "--folder", str(folder)]
    for more in (["--python", first.python], []):
        done = subprocess.run([*command, *more], capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stdout
        told = json.loads(done.stdout)
        assert (told["python"], told["version"]) == (first.python, "0.10.0")
        assert [path.name for path in folder.iterdir()] == [environment.STAMP]
    quiet = [word if word != "--json" else "--quiet" for word in command]
    done = subprocess.run(quiet, capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
