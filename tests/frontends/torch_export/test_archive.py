"""Files in the .pt2 format: good ones are read, and nothing that stands in a bad one is run."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from spikec.errors import BadFile
from spikec.frontends.torch_export import import_model
from spikec.frontends.torch_export.archive import _entries
from spikec.frontends.torch_export.archive_scan import is_safe_expression
from tests.frontends.torch_export import networks as nets
from tests.frontends.torch_export.helpers import distance, outputs, results

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
Entries = dict[str, bytes]
PROGRAM = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    torch.manual_seed(0)
    return nets.prepared(nets.ShortcutB())


@pytest.fixture(scope="module")
def content(model: torch.nn.Module) -> bytes:
    dynamic = ({0: torch.export.Dim.DYNAMIC},)
    program = torch.export.export(model, (torch.zeros(2, 3, 8, 8),), dynamic_shapes=dynamic)
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    return buffer.getvalue()


def unpacked(content: bytes) -> Entries:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {n.partition("/")[2]: archive.read(n) for n in archive.namelist()}


def packed(entries: Entries) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in entries.items():
            archive.writestr(f"archive/{name}", data)
    return buffer.getvalue()


def written(folder: Path, content: bytes) -> Path:
    path = folder / "model.pt2"
    path.write_bytes(content)
    return path


def test_an_archive_computes_what_the_model_computes(
    tmp_path: Path, model: torch.nn.Module, content: bytes
) -> None:
    graph = import_model(str(written(tmp_path, content)))
    assert (graph.name, graph.notes["capture"]) == ("model", ".pt2 archive")
    assert str(graph["conv1"].location).startswith("conv1 (")
    feed = torch.randn(3, 3, 8, 8)
    assert distance(outputs(model, (feed,), {}), results(graph, feed)) <= 1e-5


class Trap:
    """Says that it was run."""

    fired = False

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return setattr, (Trap, "fired", True)


def edited(entries: Entries, name: str, change: Callable[[Any], None]) -> Entries:
    parsed = json.loads(entries[name])
    change(parsed)
    return entries | {name: json.dumps(parsed).encode()}


def hostile(entries: Entries) -> dict[str, Entries]:
    trap = pickle.dumps(Trap())
    saved = io.BytesIO()
    torch.save({"w": Trap()}, saved)

    def first(config: Any) -> Any:
        return next(iter(config["config"].values()))

    def target(program: Any) -> None:
        program["graph_module"]["graph"]["nodes"][0]["target"] = "torch.hub.load"

    def expression(program: Any) -> None:
        text = json.dumps(program)
        assert "Symbol('" in text
        name = text.partition("Symbol('")[2].partition("'")[0]
        evil = text.replace(f"Symbol('{name}', positive=True, integer=True)", "exit()")
        program.update(json.loads(evil))

    def container(program: Any) -> None:
        spec = program["graph_module"]["module_call_graph"][0]["signature"]
        leaf: dict[str, Any] = {"type": None, "context": None, "children_spec": []}
        kind = {"type": "collections.defaultdict", "context": "{}", "children_spec": [leaf]}
        spec["out_spec"] = json.dumps([1, kind])

    def huge(config: Any) -> None:
        first(config)["tensor_meta"]["sizes"] = [{"as_int": 1 << 40}]

    return {
        "pickled weights": entries | {"data/weights/model.pt": saved.getvalue()},
        "a pickled weight": edited(
            entries | {"data/weights/weight_0": saved.getvalue()},
            WEIGHTS,
            lambda c: first(c).update(use_pickle=True),
        ),
        "an object": edited(
            entries | {"data/constants/opaque_obj_0": trap},
            CONSTANTS,
            lambda c: c["config"].update(x={"path_name": "opaque_obj_0", "use_pickle": True}),
        ),
        "compiled code": entries | {"data/aotinductor/model/model.so": b"\x7fELF"},
        "another function": edited(entries, PROGRAM, target),
        "code for a size": edited(entries, PROGRAM, expression),
        "an importing container": edited(entries, PROGRAM, container),
        "a tensor without content": edited(entries, WEIGHTS, huge),
    }


HOSTILE = [
    *("pickled weights", "a pickled weight", "an object", "compiled code", "another function"),
    *("code for a size", "an importing container", "a tensor without content"),
]


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_content_is_refused_and_not_run(kind: str, tmp_path: Path, content: bytes) -> None:
    cases = hostile(unpacked(content))
    assert list(cases) == HOSTILE
    with pytest.raises(BadFile, match="content that spikec does not load") as caught:
        import_model(written(tmp_path, packed(cases[kind])))
    assert caught.value.problems
    assert not Trap.fired


def test_hostile_sample_inputs_are_never_opened(
    tmp_path: Path, model: torch.nn.Module, content: bytes
) -> None:
    buffer = io.BytesIO()
    torch.save(((Trap(),), {}), buffer)
    entries = unpacked(content) | {"data/sample_inputs/model.pt": buffer.getvalue()}
    graph = import_model(written(tmp_path, packed(entries)))
    feed = torch.randn(2, 3, 8, 8)
    assert distance(outputs(model, (feed,), {}), results(graph, feed)) <= 1e-5
    assert not Trap.fired


def test_a_truncated_file_is_refused(tmp_path: Path, content: bytes) -> None:
    for length in range(0, len(content), len(content) // 40):
        with pytest.raises(BadFile):
            import_model(written(tmp_path, content[:length]))


def test_a_flipped_bit_is_found_or_harmless(
    tmp_path: Path, model: torch.nn.Module, content: bytes
) -> None:
    feed = torch.randn(2, 3, 8, 8)
    wanted = outputs(model, (feed,), {})
    found = 0
    for position in range(7, len(content), len(content) // 30):
        damaged = bytearray(content)
        damaged[position] ^= 1 << (position % 8)
        try:
            graph = import_model(written(tmp_path, bytes(damaged)))
        except BadFile:
            found += 1
        else:
            assert distance(wanted, results(graph, feed)) <= 1e-5
    assert found > 10


def test_a_damaged_directory_never_gives_other_content(content: bytes) -> None:
    right = unpacked(content)
    start = content.rindex(b"PK\x05\x06") - 400  # the end of the list of entries
    for position in range(start, len(content) - 2):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        try:
            found = _entries(bytes(damaged), "model.pt2")
        except BadFile:
            continue
        assert found.items() <= right.items()  # what is lost is missed when it is looked up


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda entries: b"", "empty"),
        (lambda entries: pickle.dumps({"a": Trap()}), "pickle"),
        (lambda entries: packed({"data.pkl": pickle.dumps(Trap())}), "torch.save"),
        (lambda entries: b"no archive at all", "no .pt2 archive"),
        (lambda entries: packed({"a.txt": b"1"}), "lacks"),
        (lambda entries: packed(entries | {"archive_version": b"1"}), "version"),
        (
            lambda entries: packed(
                edited(entries, PROGRAM, lambda p: p["schema_version"].update(major=99))
            ),
            "schema version 99",
        ),
        (lambda entries: packed(entries | {PROGRAM: b"{"}), "no JSON"),
        (
            lambda entries: packed(
                edited(entries, PROGRAM, lambda p: p["graph_module"].pop("graph"))
            ),
            "cannot read the program",
        ),
        (
            lambda entries: packed(
                {n: d for n, d in entries.items() if n != "data/weights/weight_1"}
            ),
            "does not load",
        ),
    ],
)
def test_what_is_no_archive_is_refused(
    make: Callable[[Entries], bytes], message: str, tmp_path: Path, content: bytes
) -> None:
    with pytest.raises(BadFile, match=message) as caught:
        import_model(written(tmp_path, make(unpacked(content))))
    assert "model.pt2" in str(caught.value)
    assert not Trap.fired


def test_a_file_that_cannot_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadFile, match="a folder"):
        import_model(tmp_path)
    with pytest.raises(BadFile, match="no such file"):
        import_model(tmp_path / "none.pt2")

    def forbidden(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    with pytest.raises(BadFile, match="may not be read"):
        import_model(written(tmp_path, b"x"))


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('id')",
        "exec('1')",
        "s0.__class__",
        "Symbol('s0', x=open('f'))",
        "lambda: 1",
        "9**9**9",
        "Pow(Integer(9), Integer(9))",
        "s0[0]",
        "factorial(Integer(9))",
        "s0" * 2000,
    ],
)
def test_only_arithmetic_on_sizes_is_an_expression(text: str) -> None:
    assert not is_safe_expression(text)
    assert is_safe_expression("FloorDiv(Symbol('s0', positive=True, integer=True), Integer(8))")
