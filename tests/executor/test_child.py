"""A tool runs in a process group of its own, and nothing of it outlives its limit."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from pathlib import Path

import pytest

from spikec.errors import ToolFailed, UsageError
from spikec.executor import run_child, time_limit

HANGS = """
    import os, sys, time
    print("started", flush=True)
    child = os.fork()
    with open(sys.argv[1], "a") as file:
        file.write(f"{os.getpid()}\\n")
    time.sleep(600)
"""
"""never returns, and neither does what it forks"""


def script(folder: Path, code: str) -> Path:
    path = folder / "tool.py"
    path.write_text(textwrap.dedent(code), "utf-8")
    return path


def is_alive(process: int) -> bool:
    """Tell whether a process runs; those that ended and wait to be read do not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_for(condition: object, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while callable(condition) and not condition() and time.monotonic() < end:
        time.sleep(0.02)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
def test_a_tool_that_never_returns_is_ended_with_all_that_it_forked(tmp_path: Path) -> None:
    tool, told = script(tmp_path, HANGS), tmp_path / "processes"
    start = time.monotonic()
    with pytest.raises(ToolFailed, match="not come to an end after 2 seconds") as caught:
        run_child([sys.executable, tool, told], "the tool", 2, remedy="give it more time")
    assert time.monotonic() - start < 8
    assert caught.value.remedy == "give it more time"
    assert "started" in str(caught.value)
    processes = [int(line) for line in told.read_text().split()]
    assert len(processes) == 2
    wait_for(lambda: not any(map(is_alive, processes)))
    assert not any(map(is_alive, processes))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
def test_what_a_tool_leaves_behind_is_ended_too(tmp_path: Path) -> None:
    code = """
        import os, sys, time
        child = os.fork()
        if child == 0:
            time.sleep(600)
        print(child)
    """
    done = run_child([sys.executable, script(tmp_path, code)], "the tool", 30)
    assert (done.code, done.seconds < 10) == (0, True)
    orphan = int(done.output)
    wait_for(lambda: not is_alive(orphan))
    assert not is_alive(orphan)


def test_output_and_exit_code_are_given_back(tmp_path: Path) -> None:
    code = "import sys; print('one'); print('two', file=sys.stderr); sys.exit(3)"
    done = run_child([sys.executable, "-u", script(tmp_path, code)], "the tool", 30)
    assert (done.code, done.output.split()) == (3, ["one", "two"])


def test_the_environment_is_added_to_ours(tmp_path: Path) -> None:
    code = "import os; print(os.environ['SPIKEC_TEST'], 'PATH' in os.environ)"
    tool = script(tmp_path, code)
    done = run_child([sys.executable, tool], "the tool", 30, environment={"SPIKEC_TEST": "x"})
    assert done.output.split() == ["x", "True"]
    assert "SPIKEC_TEST" not in os.environ


def test_a_tool_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match="cannot be started: No such file"):
        run_child([tmp_path / "nothing"], "the tool", 5)


@pytest.mark.parametrize(
    ("text", "given", "wanted"), [("", None, 600), ("7", None, 7), ("7", 3, 3), ("soon", 3, 3)]
)
def test_the_limit_comes_from_the_caller_then_the_variable(
    text: str, given: float | None, wanted: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPIKEC_TEST", text)
    assert time_limit("SPIKEC_TEST", given, 600) == wanted


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf"])
def test_a_limit_that_ends_nothing_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIKEC_TEST", text)
    with pytest.raises(UsageError, match=f"SPIKEC_TEST = '{text}'"):
        time_limit("SPIKEC_TEST", None, 600)
    if text != "soon":
        with pytest.raises(UsageError, match="limit = "):
            time_limit("SPIKEC_TEST", float(text), 600)
