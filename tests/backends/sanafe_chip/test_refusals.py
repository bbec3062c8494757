"""What cannot be run is told before anything is written, or as soon as the child has ended."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest

from spikec.artifact import Artifact
from spikec.backends.sanafe_chip.running import LIMIT, PYTHON, simulate
from spikec.errors import (
    DataError,
    MissingDependency,
    SpikecError,
    ToolFailed,
    UnsupportedModel,
    UsageError,
)
from spikec.ir import Array, B, Editor, Graph, Stage, T, TensorType, ops
from tests.backends.sanafe_chip.programs import EXPORTER, exported, lowered, plain
from tests.passes.helpers import applied
from tests.passes.whole_nets import ONE, Whole, trains


def test_an_unplaced_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="spikec lower"):
        exported(plain(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_program_placed_for_another_chip_is_told_what_is_wrong(tmp_path: Path) -> None:
    net = Whole(4)
    a = net.neuron(net.linear(net.x, 5), 5, name="a", levels=3)
    graph = applied(
        "place-cores{target=generic-graded}",
        net.done(net.neuron(net.linear(a, 3), 4, name="b", levels=3)),
    )
    with pytest.raises(UnsupportedModel) as caught:
        exported(graph, tmp_path)
    told = {(p.where.split()[0], p.what) for p in caught.value.problems}
    assert ("%a", "events of up to 3 quanta") in told
    assert ("%b", "comparison '>='") in told
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_the_simulator_has_no_memory_for_is_refused(tmp_path: Path) -> None:
    graph = lowered(plain())
    with pytest.raises(UsageError, match="synapses take about") as caught:
        exported(graph, tmp_path, memory=1e-4)
    assert "memory=GIB" in caught.value.remedy
    artifact = exported(graph, tmp_path, memory=1.0)
    with pytest.raises(UsageError, match="synapses take about"):
        simulate(artifact, trains(graph), memory=1e-4)


def test_potentials_that_would_overflow_are_refused(tmp_path: Path) -> None:
    net = Whole(4)
    big = ops.Linear(Array(np.full((3, 4), 2.0**21, np.float32)), None)
    current = net.edit.add(big, net.x, name="w")
    graph = lowered(net.done(net.neuron(current, 2.0**20, name="a")))
    with pytest.raises(UnsupportedModel) as caught:
        exported(graph, tmp_path)
    (problem,) = caught.value.problems
    assert problem.where == "%a"
    assert "over 9 steps" in problem.what


def test_an_unknown_chip_or_option_is_told(tmp_path: Path) -> None:
    graph = lowered(plain())
    with pytest.raises(UsageError, match="no chip is called"):
        exported(graph, tmp_path, chip="loihi9")
    with pytest.raises(UsageError, match="no option"):
        exported(graph, tmp_path, chips="loihi")
    artifact = exported(graph, tmp_path)
    with pytest.raises(UsageError, match="does not run as"):
        EXPORTER.run(artifact, trains(graph), "fast")


def test_currents_that_are_not_whole_are_refused(tmp_path: Path) -> None:
    edit = Editor(Graph("real", Stage.SPIKING), by="test")
    x = edit.input("x", TensorType((T, B, 4)))
    neuron = ops.IntegrateFire(Array(np.float32(6)), ONE, comparison=ops.Comparison.ABOVE)
    edit.output("y", edit.add(neuron, x, name="a"))
    artifact = exported(lowered(edit.graph), tmp_path)
    with pytest.raises(DataError) as caught:
        simulate(artifact, {"x": np.full((9, 1, 4), 0.3, np.float32)})
    (problem,) = caught.value.problems
    assert "quantise-input" in problem.remedy


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    return exported(lowered(plain()), tmp_path)


def interpreter(tmp_path: Path, body: str) -> str:
    """Give a program that stands in for Python."""
    path = tmp_path / "python"
    path.write_text(f"#!{sys.executable}\n{body}\n", "utf-8")
    path.chmod(0o755)
    return str(path)


def run(artifact: Artifact) -> SpikecError:
    with pytest.raises(SpikecError) as caught:
        EXPORTER.run(artifact, trains(lowered(plain())), "loihi")
    return caught.value


def test_an_absent_simulator_is_told_with_how_to_install_it(
    artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PYTHON, interpreter(tmp_path, "import sys; sys.exit(3)"))
    error = run(artifact)
    assert isinstance(error, MissingDependency)
    assert "spikec[sanafe]" in error.remedy


def test_an_interpreter_without_the_simulator_says_so(artifact: Artifact, tmp_path: Path) -> None:
    body = "import sys, runpy; sys.modules['sanafe'] = None; sys.argv = sys.argv[1:]\n"
    body += "runpy.run_path(sys.argv[0], run_name='__main__')"
    with pytest.raises(MissingDependency):
        simulate(artifact, trains(lowered(plain())), python=interpreter(tmp_path, body))


def test_a_crash_is_told_with_its_last_words(
    artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = "import os; print('out of bounds', flush=True); os.abort()"
    monkeypatch.setenv(PYTHON, interpreter(tmp_path, body))
    error = run(artifact)
    assert isinstance(error, ToolFailed)
    assert "broke off (exit code -6)" in error.what
    assert "out of bounds" in str(error)


def test_a_child_that_hangs_is_ended_with_all_that_it_started(
    artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive = tmp_path / "alive"
    grandchild = tmp_path / "grandchild.py"
    grandchild.write_text(f"import time; time.sleep(3); open({str(alive)!r}, 'w')", "utf-8")
    start_it = f"subprocess.Popen([sys.executable, {str(grandchild)!r}])"
    body = f"import subprocess, sys, time\n{start_it}\ntime.sleep(60)"
    monkeypatch.setenv(PYTHON, interpreter(tmp_path, body))
    monkeypatch.setenv(LIMIT, "1")
    start = time.monotonic()
    error = run(artifact)
    assert isinstance(error, ToolFailed)
    assert "1 seconds" in error.what
    assert time.monotonic() - start < 20
    time.sleep(3.5)
    assert not alive.exists()


def test_a_limit_that_is_no_number_is_told(
    artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LIMIT, "soon")
    assert LIMIT in str(run(artifact))


def test_no_module_of_the_package_loads_the_simulator() -> None:
    assert "sanafe" not in sys.modules
    assert "sanafecpp" not in sys.modules
