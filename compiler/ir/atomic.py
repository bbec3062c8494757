"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from spikec.errors import BadFile


def check_replaceable(path: Path) -> None:
    """Refuse, before any work is done, a file that ``replace_file`` could not write."""
    folder = Path(os.path.realpath(path)).parent
    if path.is_dir():
        raise BadFile("a folder stands in the file's place", where=str(path))
    if not folder.is_dir():
        _explain(FileNotFoundError(), path)
    if not os.access(folder, os.W_OK | os.X_OK):
        _explain(PermissionError(), path)


@contextmanager
def replace_file(path: Path) -> Iterator[BinaryIO]:
    """Give a temporary file beside ``path`` to write; it becomes ``path`` in one step at the end.

    Whatever happens before that, a kill included, leaves the old file as it was.  An error removes
    the temporary file; a kill leaves it behind, under a name that starts with a dot.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
    try:
        if target.is_dir():
            raise BadFile("a folder stands in the file's place", where=str(path))
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
        _keep_name(target.parent)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        _explain(error, path)
        raise


def _keep_name(folder: Path) -> None:
    """Wait until a folder's list of names is on the disk."""
    if os.name == "nt":
        return  # Windows cannot open a folder, and writes its names at once
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _explain(error: BaseException, path: Path) -> None:
    """Raise what the user should read about an error of the file system."""
    where = str(path)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        remedy = f"create the folder {path.parent}"
        raise BadFile("there is no folder for this file", where=where, remedy=remedy) from error
    if isinstance(error, PermissionError):
        remedy = f"allow writing to the folder {path.parent}, or choose another one"
        raise BadFile("no permission to write here", where=where, remedy=remedy) from error
    if isinstance(error, OSError):
        remedy = "check the space that is left on the disk"
        what = f"the file cannot be written: {error.strerror or error}"
        raise BadFile(what, where=where, remedy=remedy) from error
