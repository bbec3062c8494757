"""Plug-ins are found by their entry points; names and claims have one owner."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from spikec import registry
from spikec.errors import UsageError
from spikec.frontends import FRONTENDS

Plugin = Callable[..., None]

FRONTEND = """
from spikec.frontends import Frontend

def load():
    return lambda model, example_input=None, *, name="": "a graph"

TAKES_TOY = Frontend("a .toy file", (".toy",), ("{module}.Toy",), load)
TAKES_ONNX = Frontend("a .onnx file as well", (".onnx",), (), load)
NOT_A_FRONTEND = 42

class Toy:
    pass
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plugin:
    """Install fake distributions: a module, and the metadata that pip would have written."""

    def install(name: str, group: str, entry: str, attribute: str, code: str = FRONTEND) -> None:
        folder = tmp_path / name
        info = folder / f"{name}-1.2.dist-info"
        info.mkdir(parents=True)
        (folder / f"{name}.py").write_text(code.replace("{module}", name), "utf-8")
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{entry} = {name}:{attribute}\n")
        monkeypatch.syspath_prepend(folder)
        monkeypatch.delitem(sys.modules, name, raising=False)

    return install


def test_the_built_in_names_are_those_of_the_tables() -> None:
    assert (
        set(registry.frontends()) == set(FRONTENDS) == {"nir_graph", "onnx_graph", "torch_export"}
    )
    assert {entry.owner for entry in registry.frontends().values()} == {registry.BUILT_IN}


def test_a_plugin_s_frontend_takes_its_files_and_objects(plugin: Plugin) -> None:
    plugin("toymaker", "spikec.frontends", "toy", "TAKES_TOY")
    entry = registry.frontends()["toy"]
    assert entry.owner == "toymaker 1.2"
    frontend = registry.frontend_of_file(Path("net.TOY"))
    assert frontend is entry.load()
    assert registry.frontend_of_object(sys.modules["toymaker"].Toy()) is frontend
    assert "a .toy file" in registry.accepted_models()


@pytest.mark.parametrize(
    ("group", "table"),
    [("spikec.passes", registry.passes), ("spikec.backends", registry.backends)],
)
def test_passes_and_backends_take_plugins_too(
    plugin: Plugin, group: str, table: Callable[[], registry.Table[object]]
) -> None:
    code = """
from spikec.backends import Backend, Needs
THING = Backend(Needs("toys"), load=object)
"""
    plugin("thingmaker", group, "thing", "THING", code)
    assert table()["thing"].load() is sys.modules["thingmaker"].THING


def test_a_name_that_two_own_is_an_error_that_names_both(plugin: Plugin) -> None:
    plugin("copycat", "spikec.frontends", "onnx_graph", "TAKES_TOY")
    plugin("first", "spikec.frontends", "toy", "TAKES_TOY")
    plugin("second", "spikec.frontends", "toy", "TAKES_TOY")
    with pytest.raises(UsageError) as caught:
        registry.frontends()
    assert [problem.what for problem in caught.value.problems] == [
        f"'onnx_graph' belongs to {registry.BUILT_IN} and to copycat 1.2",
        "'toy' belongs to first 1.2 and to second 1.2",
    ]


def test_two_claims_on_a_file_are_an_error_that_names_both(plugin: Plugin) -> None:
    plugin("rival", "spikec.frontends", "rival", "TAKES_ONNX")
    with pytest.raises(UsageError, match="several frontends claim") as caught:
        registry.frontend_of_file(Path("net.onnx"))
    assert caught.value.where == f"onnx_graph ({registry.BUILT_IN}), rival (rival 1.2)"


@pytest.mark.parametrize(
    ("attribute", "code", "what"),
    [
        ("NOT_A_FRONTEND", FRONTEND, "a plug-in offers something of type int"),
        ("MISSING", FRONTEND, "a plug-in cannot be loaded: AttributeError"),
        ("X", "X = 1 / 0", "a plug-in cannot be loaded: ZeroDivisionError: division by zero"),
    ],
)
def test_a_broken_plugin_is_an_error_that_names_its_owner(
    plugin: Plugin, attribute: str, code: str, what: str
) -> None:
    plugin("broken", "spikec.frontends", "toy", attribute, code)
    with pytest.raises(UsageError, match=what) as caught:
        registry.frontend_of_file(Path("net.toy"))
    assert caught.value.where == f"entry point toy = broken:{attribute} of broken 1.2"


def test_choosing_a_frontend_loads_no_framework() -> None:
    code = """
import sys
from pathlib import Path
from spikec import registry
assert registry.frontend_of_file(Path("a.onnx")) is registry.FRONTENDS["onnx_graph"]
assert registry.frontend_of_file(Path("a.pt2")) is registry.FRONTENDS["torch_export"]
assert registry.frontend_of_file(Path("a.txt")) is None
assert registry.frontend_of_object(b"") is registry.FRONTENDS["onnx_graph"]
assert registry.frontend_of_object(3) is None
assert not {"torch", "onnx", "numpy"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
