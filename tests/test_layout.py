"""The house rules that no linter knows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CODE = ("compiler", "frontends", "passes", "backends")
WRITTEN = [*CODE, "tests", *(f for f in ("benchmarks", "examples") if (ROOT / f).is_dir())]
FILE_LIMIT = 400
FUNCTION_LIMIT = 60
# Folders at the root that tools write and git ignores.
GENERATED = {"build", "dist", ".venv", ".git"}
MACHINE_PATH = re.compile(r"(?<![\w.~$)}\]-])/(?:work|opt|root|home|Users|mnt)/\w")


def python_files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def project_files() -> Iterator[Path]:
    for top in sorted(ROOT.iterdir()):
        if top.name in GENERATED or top.name.endswith("_cache") or top.name == ".hypothesis":
            continue
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_link_tree_shows_every_entry_of_the_package() -> None:
    tree = ROOT / "build" / "dev" / "spikec"
    if not tree.is_dir():
        pytest.skip("not an editable install")
    hidden = {"_build", "__pycache__", "README.md"}
    expected = {path.name for path in (ROOT / "compiler").iterdir()} - hidden
    expected |= {"frontends", "passes", "backends"}
    assert {path.name for path in tree.iterdir()} == expected, (
        "compiler/ gained or lost a file: run `python compiler/_build/link_tree.py`"
    )


@pytest.mark.parametrize("folder", WRITTEN)
def test_no_file_is_longer_than_400_lines(folder: str) -> None:
    sizes = {name(p): len(p.read_text("utf-8").splitlines()) for p in python_files(folder)}
    too_long = {file: lines for file, lines in sizes.items() if lines > FILE_LIMIT}
    assert not too_long


@pytest.mark.parametrize("folder", WRITTEN)
def test_no_function_is_longer_than_60_lines(folder: str) -> None:
    too_long = {
        f"{name(path)}:{node.lineno} {node.name}": lines
        for path in python_files(folder)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LIMIT
    }
    assert not too_long


@pytest.mark.parametrize("folder", CODE)
def test_every_folder_of_modules_is_a_package(folder: str) -> None:
    files = python_files(folder)
    packages = {path.parent for path in files if path.name == "__init__.py"}
    bare = {path.parent for path in files} - packages - {ROOT / "compiler" / "_build"}
    bare = {path for path in bare if path.name != "payload"}  # copied into exports, not imported
    assert not sorted(map(name, bare))


@pytest.mark.parametrize("folder", [*CODE, "tests"])
def test_every_top_level_folder_says_what_lives_there(folder: str) -> None:
    readme = ROOT / folder / "README.md"
    assert len(readme.read_text("utf-8").split()) >= 20


def test_no_file_names_a_path_of_one_machine() -> None:
    found = []
    for path in project_files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue  # binary data
        lines = enumerate(text.splitlines(), start=1)
        found += [f"{name(path)}:{i}: {line}" for i, line in lines if MACHINE_PATH.search(line)]
    assert not found
