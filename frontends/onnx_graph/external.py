"""Weights in files beside the model: only regular files inside the model's own folder."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from onnx import TensorProto, helper

from spikec.errors import BadFile, Problem


def load_external(tensors: Iterable[TensorProto], folder: Path | None, origin: str) -> None:
    """Read the data of every external tensor into the tensor itself; list all that fail."""
    problems: list[Problem] = []
    for tensor in tensors:
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        try:
            tensor.raw_data = _read(tensor, folder)
        except _Refused as refused:
            name = tensor.name or "a tensor without a name"
            problems.append(Problem(f"{name}: {refused}", remedy=refused.remedy))
            continue
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]
    if problems:
        raise BadFile(
            f"external data of {len(problems)} tensors cannot be taken",
            where=origin,
            expected="files inside the model's own folder, named by relative paths",
            problems=problems,
        )


class _Refused(Exception):  # noqa: N818  (a message on its way to a BadFile)
    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.remedy = remedy


def _read(tensor: TensorProto, folder: Path | None) -> bytes:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    path = _inside(entries.get("location", ""), folder)
    expected = _bytes_of(tensor)
    offset, length = _number(entries, "offset", 0), _number(entries, "length", expected)
    if length != expected:
        raise _Refused(f"{length} bytes are declared where its type and shape need {expected}")
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(length)
    except OSError as error:
        raise _Refused(f"{path.name} cannot be read: {error.strerror}") from None
    if len(data) != length:
        raise _Refused(
            f"{path.name} ends before byte {offset + length}", "copy the data file again"
        )
    return data


def _inside(location: str, folder: Path | None) -> Path:
    """Resolve a location; refuse what leaves the folder, by path or by link."""
    if folder is None:
        raise _Refused(f"its data is in {location!r}, of an unknown folder", "give the file's path")
    for flavour in (PurePosixPath(location), PureWindowsPath(location)):
        if flavour.is_absolute() or flavour.drive or ".." in flavour.parts:
            raise _Refused(f"its location {location!r} leaves the model's folder")
    if not location or "\0" in location:
        raise _Refused("its location is empty or no path")
    try:
        root = folder.resolve(strict=True)
        path = (root / location).resolve(strict=True)
    except (OSError, RuntimeError):
        raise _Refused(f"there is no file {location!r} beside the model") from None
    if not path.is_relative_to(root):
        raise _Refused(f"its location {location!r} leaves the model's folder through a link")
    if not path.is_file():
        raise _Refused(f"its location {location!r} is no regular file")
    return path


def _number(entries: dict[str, str], key: str, default: int) -> int:
    text = entries.get(key, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise _Refused(f"its {key} {text[:40]!r} is no size")
    return int(text)


def _bytes_of(tensor: TensorProto) -> int:
    if any(dim < 0 for dim in tensor.dims):
        raise _Refused(f"its shape {list(tensor.dims)} is negative")
    try:
        dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except (KeyError, ValueError):
        raise _Refused(f"its element type {tensor.data_type} is unknown") from None
    bits: int = _PACKED_BITS.get(tensor.data_type, 8 * dtype.itemsize)
    elements: int = math.prod(tensor.dims)
    return -(-elements * bits // 8)


_PACKED_BITS: dict[int, int] = {
    TensorProto.INT4: 4,
    TensorProto.UINT4: 4,
    TensorProto.FLOAT4E2M1: 4,
    TensorProto.INT2: 2,
    TensorProto.UINT2: 2,
}
