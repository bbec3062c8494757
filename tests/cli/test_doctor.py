"""`spikec doctor` says what is installed, what is wrong, and how to mend it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

import spikec as package
from spikec.backends import PLANNED
from spikec.cli import deep, versions
from tests.cli.conftest import Spikec


def test_a_healthy_core_is_0_and_is_said(spikec: Spikec) -> None:
    answer = spikec("doctor")
    assert answer.code == 0
    assert answer.out.endswith("the core is healthy\n")
    assert f"spikec {package.__version__}" in answer.out
    for name in versions.CORE:
        assert any(line.split()[:2] == [name, version(name)] for line in answer.out.splitlines())


def test_json_says_the_same(spikec: Spikec) -> None:
    shown = spikec("doctor", "--json").json
    assert shown["healthy"] is True
    assert shown["problems"] == []
    core = {entry["name"]: entry for entry in shown["core"]}
    assert set(core) == set(versions.CORE)
    assert core["torch"]["version"] == version("torch")
    assert core["torch"]["required"] == "<3,>=2.8"
    assert shown["checks"] == []


def test_every_backend_of_the_design_is_listed(spikec: Spikec) -> None:
    backends = {entry["name"]: entry for entry in spikec("doctor", "--json").json["backends"]}
    assert set(backends) == {"torch_sim", "onnx_graph", "lava_net", "nir_graph", "sanafe_chip"}
    assert not any(backends[name]["built"] for name in PLANNED)
    assert backends["torch_sim"]["missing"] == []


def test_a_missing_package_is_1_with_the_line_that_installs_it(
    spikec: Spikec, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = versions.installed
    monkeypatch.setattr(versions, "installed", lambda name: "" if name == "onnx" else found(name))
    answer = spikec("doctor")
    assert answer.code == 1
    assert 'problem: onnx: not installed; pip install "onnx>=1.18"' in answer.out
    assert answer.out.endswith("the core is not healthy\n")


def test_a_package_that_is_too_old_is_1(spikec: Spikec, monkeypatch: pytest.MonkeyPatch) -> None:
    found = versions.installed
    monkeypatch.setattr(
        versions, "installed", lambda name: "2.7.1+cpu" if name == "torch" else found(name)
    )
    answer = spikec("doctor", "--json")
    assert answer.code == 1
    assert answer.json["healthy"] is False
    assert answer.json["problems"] == [
        'torch: 2.7.1+cpu is outside <3,>=2.8; pip install "torch<3,>=2.8"'
    ]


@pytest.mark.parametrize(
    ("found", "required", "fits"),
    [
        ("2.8", ">=2.8,<3", True),
        ("2.8.0", ">=2.8,<3", True),
        ("2.13.0+cpu", ">=2.8,<3", True),
        ("2.10.1rc2", ">=2.8,<3", True),
        ("2.7.9", ">=2.8,<3", False),
        ("3.0.0", ">=2.8,<3", False),
        ("1.0", "", True),
    ],
)
def test_versions_compare_by_their_numbers(found: str, required: str, fits: bool) -> None:
    assert versions.within(found, required) is fits


def test_deep_runs_every_library(spikec: Spikec) -> None:
    checks = spikec("doctor", "--deep", "--json").json["checks"]
    names = [check["name"] for check in checks]
    assert names == ["torch", "onnx", "onnxruntime", "reference runtime"]
    assert [check["error"] for check in checks] == [""] * 4


def test_deep_tells_of_a_library_that_cannot_compute(
    spikec: Spikec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise OSError("libgomp.so.1: cannot open shared object file")

    monkeypatch.setattr(deep, "_WORK", {"torch": broken})
    answer = spikec("doctor", "--deep")
    assert answer.code == 1
    assert "problem: torch: OSError: libgomp.so.1" in answer.out


def test_without_deep_no_framework_is_loaded() -> None:
    code = """
import sys
from spikec.cli.start import run
assert run(["doctor", "--quiet"]) == 0
assert not {"torch", "onnx", "onnxruntime", "numpy"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
