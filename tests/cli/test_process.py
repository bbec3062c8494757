"""What only a process of its own shows: the script, pipes, the terminal, the way it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import spikec
from spikec.cli.screen import PIPE_CLOSED
from tests.cli.conftest import small_graph
from tests.interrupts import interruptible

SPIKEC = (sys.executable, "-m", "spikec")


def call(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    return subprocess.run(
        [*SPIKEC, *arguments], cwd=cwd, env=environment, capture_output=True, text=True
    )


def test_version_and_help_answer(tmp_path: Path) -> None:
    assert call("--version", cwd=tmp_path).stdout == f"spikec {spikec.__version__}\n"
    for arguments in (["--help"], ["-h"], ["show", "--help"], ["demo", "-h"]):
        answer = call(*arguments, cwd=tmp_path)
        assert answer.returncode == 0
        assert "Usage: spikec" in answer.stdout


def test_no_command_is_misuse_and_shows_the_help(tmp_path: Path) -> None:
    answer = call(cwd=tmp_path)
    assert answer.returncode == 2
    assert "Usage: spikec" in answer.stdout


def test_errors_go_to_stderr_without_a_traceback(tmp_path: Path) -> None:
    answer = call("show", "absent.onnx", cwd=tmp_path)
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.startswith("error: no such file\n  where:    absent.onnx\n")
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["doctor"], ["doctor", "--json"]], ids=" ".join)
def test_a_reader_that_goes_away_is_no_error(tmp_path: Path, arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(
        [*SPIKEC, *arguments], cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert process.stderr == ""
    assert process.returncode == PIPE_CLOSED


def test_a_terminal_without_unicode_gets_escapes(tmp_path: Path) -> None:
    from spikec.ir.store import save

    save(small_graph(), tmp_path / "net.spk")
    answer = call("show", "net.spk", cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert answer.returncode == 0
    assert "ReLU" in answer.stdout
    assert answer.stderr == ""


def test_control_c_ends_with_130_and_one_word(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import sys, time\nsys.stderr.write('started\\n')\nsys.stderr.flush()\ntime.sleep(60)\n",
        "utf-8",
    )
    command = interruptible([*SPIKEC, "show", "slow:net"])
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "started\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "interrupted\n"
        assert process.wait(timeout=30) == 130
