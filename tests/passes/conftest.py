"""Golden texts: what a pass makes of a small graph, kept in ``golden/NAME.txt``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from spikec.ir import Graph

FOLDER = Path(__file__).parent / "golden"
Golden = Callable[[str, Graph, Graph], None]


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compare the text of a graph before and after a pass with the kept one."""

    def compare(name: str, before: Graph, after: Graph) -> None:
        text = f"{before}\n->\n\n{after}"
        file = FOLDER / f"{name}.txt"
        if request.config.getoption("--update-golden"):
            FOLDER.mkdir(exist_ok=True)
            file.write_text(text, "utf-8")
        assert file.is_file(), "no golden text: run pytest --update-golden, and read what it wrote"
        assert text == file.read_text("utf-8")

    return compare
