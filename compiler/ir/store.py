"""A graph in one file, ``NAME.spk``: safetensors, with the graph as JSON in its metadata.

Tensors are named by the digest of their content.  The one metadata entry, ``spikec``, is a JSON
object: ``schema``, ``graphs`` (each with its ``notes`` and ``journal``), ``record`` (whatever the
caller wants kept: provenance, calibration, seed, versions) and ``digest``, a SHA-256 over all the
others.  The same graphs and record give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from spikec.errors import BadFile, SpikecError, UsageError
from spikec.ir.array import Array
from spikec.ir.atomic import replace_file
from spikec.ir.graph import Edit, Graph
from spikec.ir.graph_json import dump_graph, load_graph
from spikec.ir.kinds import Json

SCHEMA = 1
"""Raised whenever older versions could misread what this one writes."""
MAIN = "program"
"""The graph that ``save`` writes and ``load`` reads; others may stand beside it."""
KEY = "spikec"
"""The one metadata entry; with several, safetensors would write them in random order."""
AGAIN = "save the program again, or take an intact copy of the file"
MAKE = "programs are written by `spikec convert` and Program.save"


def save(graph: Graph, path: str | PathLike[str], record: Mapping[str, Json] | None = None) -> None:
    """Write a graph and the record of how it was made; a crash leaves the old or the new file."""
    save_all({MAIN: graph}, path, record)


def load(path: str | PathLike[str]) -> tuple[Graph, dict[str, Json]]:
    """Read what ``save`` wrote: the (main) graph and the record; every byte is checked."""
    graphs, record = load_all(path)
    return graphs[MAIN], record


def save_all(
    graphs: Mapping[str, Graph],
    path: str | PathLike[str],
    record: Mapping[str, Json] | None = None,
) -> None:
    """Write several graphs, the one called MAIN among them; arrays that they share stand once."""
    problems = list(_not_json(dict(record or {}), "record"))
    if problems:
        what = f"{problems[0]} cannot be saved"
        raise UsageError(what, expected="None, bool, int, finite float, str, list, dict of str")
    content = {
        "schema": SCHEMA,
        "graphs": {name: _dump(graph) for name, graph in graphs.items()},
        "record": dict(record or {}),
    }
    text = _canonical({**content, "digest": _digest(content)})
    arrays = {d: a.data for graph in graphs.values() for d, a in graph.arrays().items()}
    data = _safetensors_bytes(arrays, text)
    with replace_file(Path(path)) as file:
        file.write(data)


def load_all(path: str | PathLike[str]) -> tuple[dict[str, Graph], dict[str, Json]]:
    """Read what ``save_all`` wrote; every byte is checked."""
    where = str(path)
    _look(Path(path))
    text, tensors = _read(Path(path))
    if text is None:
        raise BadFile("a safetensors file, but no spikec program", where=where, remedy=MAKE)
    content = _content(text, where)
    for name, array in tensors.items():
        if array.digest != name:
            raise BadFile("an array in the file is damaged", where=where, remedy=AGAIN)
    try:
        graphs = {name: _load(row, tensors) for name, row in content["graphs"].items()}
        record = dict(content["record"])
    except SpikecError as error:
        raise _inconsistent(f"{error.what} ({error.where})", where) from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise _inconsistent(str(error), where) from error
    if MAIN not in graphs:
        raise _inconsistent(f"there is no graph {MAIN!r}", where)
    if {digest for graph in graphs.values() for digest in graph.arrays()} != tensors.keys():
        raise _inconsistent("there are arrays that no node uses", where)
    return graphs, record


def _dump(graph: Graph) -> Json:
    journal = [[e.by, e.action, e.node, list(e.sources)] for e in graph.journal]
    return {"graph": dump_graph(graph), "notes": graph.notes, "journal": journal}


def _load(row: Any, tensors: Mapping[str, Array]) -> Graph:
    graph = load_graph(row["graph"], tensors.values())
    graph.notes.update({str(k): str(v) for k, v in row["notes"].items()})
    graph.journal = [Edit(by, do, node, tuple(from_)) for by, do, node, from_ in row["journal"]]
    return graph


def _safetensors_bytes(arrays: Mapping[str, Any], text: str) -> bytes:
    """Give the file's bytes (``save_file`` would write a temporary file of its own)."""
    from safetensors import numpy as safetensors

    data: bytes = safetensors.save(dict(arrays), {KEY: text})
    return data


def _look(path: Path) -> None:
    """Refuse what is visibly something else, by its first bytes."""
    where = str(path)
    if path.is_dir():
        raise BadFile("a folder, not a file", where=where, remedy="name the .spk file in it")
    try:
        with open(path, "rb") as file:
            head = file.read(9)
    except FileNotFoundError:
        raise BadFile("no such file", where=where, remedy="check the path") from None
    except PermissionError:
        remedy = "change the file's permissions"
        raise BadFile("no permission to read this file", where=where, remedy=remedy) from None
    except OSError as error:
        raise BadFile(f"unreadable: {error.strerror or error}", where=where) from error
    if not head:
        raise BadFile("the file is empty", where=where, expected="a program", remedy=AGAIN)
    for magic, what in _OTHERS.items():
        if head.startswith(magic) and head[8:] != b"{":
            raise BadFile(f"{what}, not a spikec program", where=where, remedy=MAKE)


def _read(path: Path) -> tuple[str | None, dict[str, Array]]:
    """Read the metadata text and all tensors."""
    import safetensors

    try:
        with safetensors.safe_open(path, framework="np") as file:
            text = (file.metadata() or {}).get(KEY)
            names = file.keys() if text is not None else ()
            return text, {name: Array(file.get_tensor(name)) for name in names}
    except (safetensors.SafetensorError, AttributeError, OSError, TypeError, ValueError) as error:
        # AttributeError, TypeError: an element type that NumPy does not have
        raise BadFile(
            f"truncated or damaged: {error}", where=str(path), expected="a .spk file", remedy=AGAIN
        ) from error


def _content(text: str, where: str) -> dict[str, Any]:
    """Read the JSON text; check schema and digest."""
    try:
        content = json.loads(text)
        schema = content["schema"]
        digest = content.pop("digest")
        intact = isinstance(schema, int) and digest == _digest(content)
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise BadFile("the program in it is damaged", where=where, remedy=AGAIN) from error
    if isinstance(schema, int) and schema > SCHEMA:
        raise BadFile(
            f"written by a newer version of spikec (schema {schema})",
            where=where,
            expected=f"schema {SCHEMA} or older",
            remedy="update spikec: pip install --upgrade spikec",
        )
    if not intact:
        raise BadFile("the program in it was changed", where=where, remedy=AGAIN)
    return dict(content)


def _inconsistent(why: str, where: str) -> BadFile:
    return BadFile(f"the program in it does not hold together: {why}", where=where, remedy=AGAIN)


def _digest(content: Mapping[str, Json]) -> str:
    return hashlib.sha256(_canonical(content).encode()).hexdigest()


def _canonical(content: Mapping[str, Json]) -> str:
    return json.dumps(content, allow_nan=False, separators=(",", ":"), sort_keys=True)


def _not_json(value: object, place: str) -> Iterator[str]:
    """Name everything that JSON would refuse or change."""
    match value:
        case dict():
            yield from (f"{place}: the key {key!r}" for key in value if not isinstance(key, str))
            for key, item in value.items():
                yield from _not_json(item, f"{place}[{key!r}]")
        case list():
            for index, item in enumerate(value):
                yield from _not_json(item, f"{place}[{index}]")
        case float():
            if not math.isfinite(value):
                yield f"{place} = {value}"
        case None | bool() | int() | str():
            return
        case _:
            yield f"{place}, a {type(value).__name__},"


_OTHERS = {
    b"\x80": "a pickle (spikec never opens pickles)",
    b"PK\x03\x04": "a zip archive, such as torch.save and torch.export.save write",
    b"\x89HDF": "an HDF5 file",
}
