"""What the documents say is so."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from spikec.cli.start import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md"),
    *ROOT.glob("*/README.md"),
    *ROOT.glob("docs/*.md"),
]
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = LINK.findall(page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    blocks = PYTHON.findall((ROOT / "README.md").read_text("utf-8"))
    assert blocks
    check = (
        "assert y.shape == (2, 8 * 14 * 14)\nassert abs(y - net(x).detach().numpy()).max() < 1e-4"
    )
    code = "\n".join([*blocks, check])
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_the_readme_shows_every_command_there_is() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    commands = sorted(getattr(typer.main.get_command(app), "commands", ()))
    assert {"doctor", "show"} <= set(commands)
    assert [command for command in commands if f"spikec {command}" not in readme] == []
