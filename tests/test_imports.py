"""Importing is cheap: heavy libraries are loaded by what needs them, not before.

How many seconds that takes is measured by `benchmarks/startup.py`.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FRAMEWORKS = {"torch", "onnx", "onnxruntime", "onnxscript", "sklearn", "scipy"}
HEAVY = FRAMEWORKS | {"networkx", "numpy"}

HELP = """
import sys
from spikec.cli import main
sys.argv = ["spikec", "--help"]
try:
    main()
except SystemExit as ending:
    assert not ending.code, ending.code
"""


def loaded_by(code: str, folder: Path) -> set[str]:
    """Run the code in a fresh interpreter and name the top-level modules it has loaded."""
    ending = "import json, sys; print(); print(json.dumps(sorted(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\n{ending}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    names = json.loads(result.stdout.splitlines()[-1])
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize(
    ("code", "forbidden"),
    [
        pytest.param("import spikec", HEAVY | {"rich", "typer"}, id="the package"),
        pytest.param("import spikec.errors", HEAVY | {"rich", "typer"}, id="the errors"),
        pytest.param("import spikec.ir", FRAMEWORKS | {"rich", "typer"}, id="the graph"),
        pytest.param(HELP, HEAVY, id="the help"),
    ],
)
def test_nothing_heavy_is_loaded_by(code: str, forbidden: set[str], tmp_path: Path) -> None:
    loaded = loaded_by(code, tmp_path)
    assert "spikec" in loaded
    assert loaded & forbidden == set()
