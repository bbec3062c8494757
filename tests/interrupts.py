"""Children that can be interrupted, wherever the tests themselves were started."""

from __future__ import annotations

import sys
from collections.abc import Sequence

STARTER = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""


def interruptible(command: Sequence[str]) -> list[str]:
    """Give a command that starts another one with the usual answer to Ctrl-C.

    A shell that is not interactive starts what runs in its background deaf to interrupts, and
    children inherit that.  The process stays the same one.
    """
    return [sys.executable, "-c", STARTER, *command]
