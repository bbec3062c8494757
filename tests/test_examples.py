"""Every example runs to its end, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.py"))


def test_there_are_examples() -> None:
    assert [path.stem for path in EXAMPLES] == ["import_and_run"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_finds_its_numbers_right(example: Path, tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-W", "error::UserWarning:spikec", example],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stderr == ""
    assert "largest difference" in answer.stdout
    assert not list(tmp_path.iterdir())
