"""What we would publish works outside the checkout: sdist -> wheel -> another environment."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOMES = {
    "compiler": "spikec",
    "frontends": "spikec/frontends",
    "passes": "spikec/passes",
    "backends": "spikec/backends",
}

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command without this project on its path; its output is shown when it fails."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    result = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist from the checkout and the wheel from the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel in an environment of its own that borrows our dependencies only."""
    folder = tmp_path_factory.mktemp("outside") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install")
    run(*pip, "--quiet", "--no-deps", "--no-index", *dist.glob("*.whl"), cwd=folder)
    # A path added by a .pth file comes last, and .pth files in it (such as that of our own
    # editable install) are not read.
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = Path(run(python, "-c", code, cwd=folder).strip())
    (own / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    return folder


def test_the_wheel_holds_every_module_and_the_type_marker(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("spikec/")}
    expected = {
        f"{home}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder, home in HOMES.items()
        for path in (ROOT / folder).rglob("*.py")
        if "_build" not in path.parts
    }
    assert {name for name in held if name.endswith(".py")} == expected
    data = {
        f"spikec/{path.relative_to(ROOT / 'compiler').as_posix()}"
        for path in (ROOT / "compiler").rglob("*.toml")
    }
    assert {"spikec/py.typed", "spikec/target/data/loihi1.toml"} | data <= held


def test_the_sdist_holds_what_is_needed_to_build_and_test(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    needed = "pyproject.toml constraints.txt Makefile LICENSE README.md CHANGELOG.md .ci/run"
    assert set(needed.split()) <= held
    assert {"compiler/_build/link_tree.py", "tests/test_wheel.py"} <= held
    assert not {name for name in held if name.startswith(("build/", ".venv/", "dist/"))}


def test_the_wheel_is_imported_from_its_own_environment(installed: Path) -> None:
    code = "import spikec, spikec.ir; print(spikec.__file__); print(spikec.__version__)"
    file, version = run(installed / "bin" / "python", "-c", code, cwd=installed).splitlines()
    assert Path(file).is_relative_to(installed)
    assert f'__version__ = "{version}"' in (ROOT / "compiler" / "__init__.py").read_text("utf-8")


@pytest.mark.parametrize("argument", ["--help", "doctor", "targets"])
def test_the_installed_command_answers(installed: Path, argument: str) -> None:
    assert run(installed / "bin" / "spikec", argument, cwd=installed).strip()
    assert run(installed / "bin" / "python", "-m", "spikec", argument, cwd=installed).strip()
