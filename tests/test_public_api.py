"""What users may name exists, and nothing else is promised."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import spikec

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(m.name for m in pkgutil.walk_packages(spikec.__path__, prefix="spikec."))


@pytest.mark.parametrize("name", MODULES)
def test_every_module_imports_and_defines_what_it_promises(name: str) -> None:
    module = importlib.import_module(name)
    promised = getattr(module, "__all__", [])
    assert [entry for entry in promised if not hasattr(module, entry)] == []
    assert len(set(promised)) == len(promised)


def test_every_folder_of_the_package_is_found() -> None:
    assert {"spikec.backends", "spikec.frontends", "spikec.ir", "spikec.passes"} <= set(MODULES)


@pytest.mark.parametrize("name", spikec.__all__)
def test_every_public_name_is_reachable_from_the_package(name: str) -> None:
    assert getattr(spikec, name) is not None
    assert name in dir(spikec)


def test_a_public_name_is_the_object_of_its_home_module() -> None:
    assert spikec.Graph is importlib.import_module("spikec.ir").Graph
    assert spikec.SpikecError is importlib.import_module("spikec.errors").SpikecError
    assert spikec.import_model is importlib.import_module("spikec.api").import_model
    assert callable(spikec.runtime.run)


def test_star_import_gives_exactly_the_public_names() -> None:
    namespace: dict[str, object] = {}
    exec("from spikec import *", namespace)
    assert set(namespace) - {"__builtins__"} == set(spikec.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    name = "no_such_name"
    with pytest.raises(AttributeError, match="module 'spikec' has no attribute 'no_such_name'"):
        getattr(spikec, name)


def test_the_changelog_is_headed_by_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    versions = re.findall(r"^## (\d+\.\d+\.\d+)", changelog, flags=re.MULTILINE)
    assert versions[0] == spikec.__version__
