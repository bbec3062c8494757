"""Files that are no program, or no longer: each is refused by name, and nothing in them runs."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import numpy as safetensors
from safetensors import safe_open

from spikec.errors import BadFile
from spikec.ir import Array, store
from tests.ir.examples import small_graph

RECORD: dict[str, Any] = {
    "seed": 3,
    "versions": {"spikec": "0"},
    "calibration": [0.1, None, True, "ü"],
}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "net.spk"
    store.save(small_graph(), path, RECORD)
    return path


def refused(path: Path, what: str) -> BadFile:
    """Load a file that has to be refused; the error names it and says what to do."""
    with pytest.raises(BadFile, match=what) as caught:
        store.load(path)
    assert caught.value.where == str(path)
    assert caught.value.remedy
    return caught.value


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("intact") / "net.spk"
    store.save(small_graph(), path, RECORD)
    return path.read_bytes()


@settings(max_examples=1000)
@given(data=st.data())
def test_no_flipped_bit_changes_a_program_unnoticed(
    data: st.DataObject, intact: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    header = 8 + int.from_bytes(intact[:8], "little")
    where = data.draw(st.integers(0, header) | st.integers(0, len(intact) - 1))
    flipped = bytearray(intact)
    flipped[where] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path_factory.getbasetemp() / "flipped.spk"
    path.write_bytes(flipped)
    try:
        graph, record = store.load(path)
    except BadFile:
        return
    assert (graph, record) == (small_graph(), RECORD)


def test_a_truncated_file_is_refused_wherever_it_ends(intact: bytes, tmp_path: Path) -> None:
    path = tmp_path / "short.spk"
    for end in (*range(1, len(intact), 97), len(intact) - 1):
        path.write_bytes(intact[:end])
        refused(path, "truncated or damaged|is damaged")


def test_more_bytes_at_the_end_are_refused(intact: bytes, tmp_path: Path) -> None:
    path = tmp_path / "long.spk"
    path.write_bytes(intact + b"\0")
    refused(path, "truncated or damaged")


def rewritten(path: Path, change: Callable[[dict[str, Any]], None], sign: bool = True) -> None:
    """Change the content of a saved program; sign it anew as an attacker would."""
    with safe_open(path, framework="np") as file:
        content = json.loads(file.metadata()["spikec"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(content)
    if sign:
        del content["digest"]
        content["digest"] = store._digest(content)
    path.write_bytes(safetensors.save(tensors, {"spikec": json.dumps(content)}))


def main(content: dict[str, Any]) -> dict[str, Any]:
    """Give the main graph with its notes and journal."""
    row: dict[str, Any] = content["graphs"][store.MAIN]
    return row


def nodes(content: dict[str, Any]) -> list[Any]:
    """Give the nodes of the main graph."""
    rows: list[Any] = main(content)["graph"]["nodes"]
    return rows


def test_a_changed_field_is_noticed(saved: Path) -> None:
    rewritten(saved, lambda c: nodes(c)[2]["fields"].update(high=7.0), sign=False)
    refused(saved, "the program in it was changed")


def test_a_changed_record_is_noticed(saved: Path) -> None:
    rewritten(saved, lambda c: c["record"].update(seed=4), sign=False)
    refused(saved, "the program in it was changed")


def test_a_changed_array_is_noticed(saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    data[-1] ^= 1
    saved.write_bytes(data)
    refused(saved, "an array in the file is damaged")


def test_a_newer_schema_says_so_even_if_everything_else_has_changed(saved: Path) -> None:
    rewritten(saved, lambda c: c.update(schema=store.SCHEMA + 1, more=[]), sign=False)
    error = refused(saved, f"newer version of spikec .schema {store.SCHEMA + 1}")
    assert "update spikec" in error.remedy


def _node(key: str, value: Any, at: int = 2) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        nodes(content)[at][key] = value

    return change


def _set(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content.update(fields)


def _set_main(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: main(content).update(fields)


def _drop_main(key: str) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        del main(content)[key]

    return change


def _drop(key: str) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        del content[key]

    return change


NOT_GRAPHS: tuple[Any, ...] = (None, [], {}, {"name": 3, "stage": "analog", "nodes": []})
NOT_SCHEMAS: tuple[Any, ...] = (None, "1", 1.5, [])
NOT_JOURNALS: tuple[Any, ...] = (3, [3], [["a"]], {"a": "b"})
HOSTILE: tuple[Callable[[dict[str, Any]], None], ...] = (
    *(_drop(key) for key in ("graphs", "record", "schema")),
    *(_drop_main(key) for key in ("graph", "notes", "journal")),
    *(_set(graphs=value) for value in (*NOT_GRAPHS, {"other": {}}, {"program": 3})),
    *(_set_main(graph=value) for value in NOT_GRAPHS),
    *(_set(schema=value) for value in NOT_SCHEMAS),
    *(_set_main(journal=value) for value in NOT_JOURNALS),
    *(_set_main(notes=value) for value in (3, [3])),
    *(_set(record=value) for value in (3, [3])),
    lambda content: main(content)["graph"].update(stage="liquid"),
    lambda content: nodes(content).pop(1),
    lambda content: nodes(content).append(nodes(content)[1]),
    _node("op", "Exec"),
    _node("op", ["Clip"]),
    _node("name", "__import__('os')"),
    _node("name", 3),
    _node("inputs", []),
    _node("inputs", [["conv", -1]]),
    _node("inputs", [["conv", 1]]),
    _node("inputs", [["later", 0]]),
    _node("inputs", "conv"),
    _node("types", []),
    _node("location", None),
    _node("location", {"places": [{"module": 3}]}),
    _node("fields", {"low": "zero"}),
    _node("fields", {"low": True}),
    _node("fields", {"low": 10**400}),
    _node("fields", {"unknown": 1}),
    _node("fields", [1]),
    _node("fields", {}, at=1),
    _node("fields", {"k": 1.5, "axis": -1, "largest": True}, at=8),
    _node("fields", {"dims": ["B/0", 192]}, at=4),
    _node("fields", {"dims": ["B" * 9000]}, at=4),
    _node("fields", {"value": "0" * 32}, at=5),
    _node("fields", {"value": ""}, at=5),
    _node("fields", {"weight": None, "bias": None}, at=6),
)


@pytest.mark.parametrize("change", HOSTILE)
def test_nonsense_under_a_right_digest_is_refused(
    change: Callable[[dict[str, Any]], None], saved: Path
) -> None:
    rewritten(saved, change)
    with pytest.raises(BadFile):
        store.load(saved)


def test_an_array_that_no_node_uses_is_refused(saved: Path) -> None:
    with safe_open(saved, framework="np") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    stray = Array(np.arange(3.0))
    saved.write_bytes(safetensors.save({**tensors, stray.digest: stray.data}, metadata))
    refused(saved, "arrays that no node uses")


def test_deeply_nested_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.spk"
    path.write_bytes(safetensors.save({}, {"spikec": "[" * 100_000}))
    refused(path, "is damaged")


def test_a_long_number_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.spk"
    path.write_bytes(safetensors.save({}, {"spikec": '{"schema": ' + "9" * 5000 + "}"}))
    refused(path, "is damaged")


def _pickled(folder: Path) -> bytes:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, (str(folder / "trapped"),))

    return pickle.dumps(Trap())


def test_a_pickle_is_named_and_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "trap.spk"
    path.write_bytes(_pickled(tmp_path))
    refused(path, "a pickle .spikec never opens pickles")
    assert list(tmp_path.iterdir()) == [path]


FOREIGN = {
    "the file is empty": b"",
    "zip archive": b"PK\x03\x04" + bytes(100),
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "truncated or damaged": b"hello, world; this is a text",
    "truncated or damaged: .*HeaderTooLarge|header too large": (2**40).to_bytes(8, "little")
    + b"{}",
    "truncated or damaged: .*": (90_000_000).to_bytes(8, "little") + b"{" + bytes(50),
    "no spikec program": safetensors.save({"a": np.zeros(2)}),
    "no spikec program ": safetensors.save({"a": np.zeros(2)}, {"format": "pt"}),
    "bfloat16|truncated or damaged|the program in it is damaged": (
        lambda header: len(header).to_bytes(8, "little") + header + bytes(2)
    )(b'{"__metadata__":{"spikec":"{}"},"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}'),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_other_files_are_refused(what: str, tmp_path: Path) -> None:
    path = tmp_path / "other.spk"
    path.write_bytes(FOREIGN[what])
    refused(path, what.rstrip())


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    refused(tmp_path / "none.spk", "no such file")
    refused(tmp_path, "a folder, not a file")


def test_a_file_without_permission_is_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")  # as for users who are not root

    monkeypatch.setattr("builtins.open", refuse)
    error = refused(saved, "no permission to read")
    assert "permissions" in error.remedy
