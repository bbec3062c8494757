"""Read ``.pt2`` files without running anything that stands in them.

``torch.export.load`` unpickles weights, constants and sample inputs, loads shared libraries, and
evaluates size expressions. So the file is read here first: what could run is refused, sample inputs
and guards (which the import does not need) are left out, and torch gets a fresh archive that holds
only what was checked.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch._export.serde.schema import SCHEMA_VERSION
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.export.pt2_archive import constants as layout
from torch.utils import _pytree as pytree

from spikec.errors import BadFile, Problem
from spikec.frontends.common import read_file
from spikec.frontends.torch_export.archive_scan import scan_payloads, scan_program
from spikec.frontends.torch_export.state import quiet

_EXPECTED = "a file written by torch.export.save"
_REMEDY = "write the file again with torch.export.save(torch.export.export(model, inputs), path)"
_MODEL = layout.MODELS_FILENAME_FORMAT.format("model")
_SAMPLES = layout.SAMPLE_INPUTS_FILENAME_FORMAT.format("model")
_CONFIGS = {
    layout.WEIGHTS_CONFIG_FILENAME_FORMAT.format("model"): layout.WEIGHTS_DIR,
    layout.CONSTANTS_CONFIG_FILENAME_FORMAT.format("model"): layout.CONSTANTS_DIR,
}
Entries = dict[str, bytes]
_DAMAGE = (
    *(zipfile.BadZipFile, NotImplementedError, RuntimeError),
    *(OSError, EOFError, ValueError, OverflowError, struct.error),
)
"""What ``zipfile`` raises over a damaged archive."""


def load_archive(path: Path) -> ExportedProgram:
    """Load one exported program; every defect of the file is a BadFile."""
    entries = _entries(_read(path), str(path))
    _check_versions(entries, str(path))
    safe = _checked(entries, str(path))
    try:
        with quiet(), torch.no_grad():
            program = torch.export.load(_packed(safe))
            program._example_inputs = _stand_ins(program)
            return program
    except Exception as error:  # the deserialiser raises anything on a damaged program
        raise BadFile(
            f"torch cannot read the program in the file: {type(error).__name__}: {error}",
            where=str(path),
            expected=f"{_EXPECTED} of torch {torch.__version__}",
            remedy=_REMEDY,
        ) from error


def _stand_ins(program: ExportedProgram) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Give the program's own symbolic inputs for the samples that were left out.

    torch binds sample inputs to the parameters of ``forward`` before it rewrites a program.
    """
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    leaves = [
        values[spec.arg.name]
        for spec in program.graph_signature.input_specs
        if spec.kind is InputKind.USER_INPUT
    ]
    args, kwargs = pytree.tree_unflatten(leaves, program.call_spec.in_spec)
    return args, kwargs


def _read(path: Path) -> bytes:
    """Read a file that may be an archive: no pickle, and not empty."""
    content = read_file(path, _EXPECTED)
    if not content:
        raise BadFile("the file is empty", where=str(path), expected=_EXPECTED, remedy=_REMEDY)
    if content[:1] == b"\x80":
        raise BadFile(
            "this is a pickle; loading one could run any code",
            where=str(path),
            expected=_EXPECTED,
            remedy=_REMEDY,
        )
    return content


def _entries(content: bytes, where: str) -> Entries:
    """Unpack, without the root folder; checksums are verified on the way."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = archive.infolist()
            names = [info.filename.partition("/")[2] or info.filename for info in infos]
            roots = {info.filename.partition("/")[0] for info in infos}
            if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
                raise BadFile("the archive is compressed", where=where, expected=_EXPECTED)
            if len(set(names)) != len(names) or len(roots) != 1:
                raise BadFile("the archive names entries twice", where=where, expected=_EXPECTED)
            read = (archive.read(info) for info in infos)
            entries = dict(zip(names, read, strict=True))
    except _DAMAGE as error:
        raise BadFile(
            f"the file is truncated or damaged, or no .pt2 archive ({error})",
            where=where,
            expected=_EXPECTED,
            remedy=_REMEDY,
        ) from None
    if "data.pkl" in entries:
        kind = "a TorchScript archive" if any(n.startswith("code/") for n in entries) else "pickled"
        raise BadFile(
            f"this is {kind} (torch.save or torch.jit.save); loading one could run any code",
            where=where,
            expected=_EXPECTED,
            remedy=_REMEDY,
        )
    return entries


def _check_versions(entries: Entries, where: str) -> None:
    """Refuse other formats, and formats that are newer than the installed torch."""
    missing = [
        name
        for name in (layout.ARCHIVE_FORMAT_PATH, layout.ARCHIVE_VERSION_PATH, _MODEL, *_CONFIGS)
        if name not in entries
    ]
    if missing:
        raise BadFile(
            f"the archive lacks {', '.join(missing)}",
            where=where,
            expected=_EXPECTED,
            remedy=_REMEDY,
        )
    found = entries[layout.ARCHIVE_FORMAT_PATH], entries[layout.ARCHIVE_VERSION_PATH]
    known = layout.ARCHIVE_FORMAT_VALUE.encode(), layout.ARCHIVE_VERSION_VALUE.encode()
    if found != known:
        raise BadFile(
            f"archive format and version are {found}",
            where=where,
            expected=f"{known}, as torch {torch.__version__} reads",
            remedy="install a newer torch, or export with this one",
        )
    version = _json(entries, _MODEL, where).get("schema_version")
    major = version.get("major") if isinstance(version, dict) else None
    if major != SCHEMA_VERSION[0]:
        newer = isinstance(major, int) and major > SCHEMA_VERSION[0]
        raise BadFile(
            f"the program has schema version {major}",
            where=where,
            expected=f"{SCHEMA_VERSION[0]}, as torch {torch.__version__} reads",
            remedy="install a newer torch, or export with this one" if newer else _REMEDY,
        )


def _checked(entries: Entries, where: str) -> Entries:
    """Keep what was checked; collect everything that could run or cannot be."""
    problems = [
        Problem(f"{name} holds compiled code, which would be run", where=where)
        for name in entries
        if name.startswith(layout.AOTINDUCTOR_DIR)
    ]
    program, found = scan_program(_json(entries, _MODEL, where))
    problems += found
    safe = {_MODEL: json.dumps(program).encode(), _SAMPLES: _no_samples()}
    for name, folder in _CONFIGS.items():
        config = _json(entries, name, where)
        problems += scan_payloads(config, folder, entries)
        safe[name] = json.dumps(config).encode()
    if problems:
        raise BadFile(
            "the file holds content that spikec does not load",
            where=where,
            expected=f"{_EXPECTED} from a model of plain tensors",
            remedy="export the model without custom objects and subclasses of Tensor",
            problems=problems,
        )
    payloads = (n for n in entries if n.startswith(tuple(_CONFIGS.values())) and n not in safe)
    return safe | {name: entries[name] for name in payloads}


def _json(entries: Entries, name: str, where: str) -> dict[str, Any]:
    try:
        content = json.loads(entries[name])
    except (ValueError, RecursionError) as error:
        raise BadFile(f"{name} is no JSON: {error}", where=where, expected=_EXPECTED) from None
    if not isinstance(content, dict):
        raise BadFile(f"{name} is no JSON object", where=where, expected=_EXPECTED)
    return content


def _no_samples() -> bytes:
    buffer = io.BytesIO()
    torch.save(((), {}), buffer)
    return buffer.getvalue()


def _packed(entries: Entries) -> io.BytesIO:
    buffer = io.BytesIO()
    versions = {
        layout.ARCHIVE_FORMAT_PATH: layout.ARCHIVE_FORMAT_VALUE.encode(),
        layout.ARCHIVE_VERSION_PATH: layout.ARCHIVE_VERSION_VALUE.encode(),
    }
    writer = torch._C.PyTorchFileWriter(buffer)
    for name, content in (entries | versions).items():
        writer.write_record(name, content, len(content))
    writer.write_end_of_file()
    buffer.seek(0)
    return buffer
