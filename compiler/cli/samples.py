"""The option ``--data``: samples in an .npz file, looked at before any work is done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from spikec.errors import UsageError

if TYPE_CHECKING:
    from spikec.data import Data

HELP = "Samples: FILE.npz with arrays x and y, or FILE.npz:PREFIX for PREFIX_x and PREFIX_y."


def load_data(text: str) -> Data:
    """Read the samples of ``--data``."""
    from spikec.api import check_file
    from spikec.data import read_data

    if not text:
        raise UsageError("--data is empty", expected=HELP)
    whole = Path(text)
    name, colon, _ = text.rpartition(":")
    path = Path(name) if colon and name and not whole.exists() else whole
    if path.suffix == ".npz":
        check_file(path)
    return read_data(text)
