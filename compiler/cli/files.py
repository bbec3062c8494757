"""Files that a command will write, looked at before any work is done."""

from __future__ import annotations

import os
from pathlib import Path

from spikec.errors import UsageError


def check_target(option: str, path: Path) -> None:
    """Refuse, before any work is done, a file that could not be written."""
    if path.is_dir():
        raise UsageError(f"{option}: a folder stands there", where=str(path))
    if not path.parent.is_dir():
        raise UsageError(
            f"{option}: no such folder", where=str(path.parent), remedy=f"mkdir -p {path.parent}"
        )
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"{option}: no permission to write there", where=str(path.parent))


def check_file(option: str, path: Path, suffix: str) -> None:
    """Refuse what is no file of that kind, or could not be written."""
    if path.suffix != suffix:
        raise UsageError(
            f"{option} writes {suffix} files, not {path.suffix or 'files without suffix'}",
            where=str(path),
            remedy=f"{option} {renamed(path, suffix)}",
        )
    check_target(option, path)


def check_program_file(option: str, path: Path) -> None:
    """Refuse what is no .spk file, or could not be written."""
    check_file(option, path, ".spk")


def renamed(path: Path, suffix: str) -> Path:
    """Give the path with another suffix, for a remedy; an empty path gets a name too."""
    return path.with_suffix(suffix) if path.name else Path(f"graph{suffix}")
