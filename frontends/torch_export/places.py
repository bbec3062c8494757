"""Where an FX node comes from in the user's own source: module path, file and line."""

from __future__ import annotations

import re
from pathlib import Path
from types import TracebackType

import torch
from torch import fx

from spikec import nn
from spikec.ir.location import Location

_FRAME = re.compile(r'File "(?P<file>[^"\n]+)", line (?P<line>\d+)')
_TORCH = f"{Path(torch.__file__).parent}/"
_FOREIGN_TORCH = re.compile(r"(^|/)(site|dist)-packages/torch/|^torch/|^<")
"""Torch as installed where an archive was written; generated code (``<eval_with_key>``)."""
_OURS = (Path(__file__).resolve().parent, Path(nn.__file__).resolve().parent)
_CALL = re.compile(r"@\d+")


def location_of(node: fx.Node) -> Location:
    """Give module path, and the innermost frame outside torch and ``spikec.nn``."""
    file, line = user_frame(node.meta.get("stack_trace") or "")
    return Location.at(module=module_path(node), file=file, line=line)


def module_path(node: fx.Node) -> str:
    """Give the dotted path of the innermost module that was running; empty for the model."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path = str(stack[-1][0]) if stack else ""
    # torch marks the second call of a shared module as `relu@1`, and code of its own by `_empty…`
    return "" if path.startswith("_") and "metadata_hook" in path else _CALL.sub("", path)


def module_class(node: fx.Node) -> str:
    """Give the qualified class name of the innermost module; empty where unknown."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    kind = stack[-1][1] if stack else ""
    return kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"


def user_frame(trace: str) -> tuple[str, int]:
    """Give file and line of the innermost frame of a printed trace that is the user's.

    >>> user_frame('File "net.py", line 3, in forward')
    ('net.py', 3)
    """
    for match in reversed(list(_FRAME.finditer(trace))):
        if not (_is_torch(match["file"]) or _is_ours(match["file"])):
            return _shown(match["file"]), int(match["line"])
    return "", 0


def failing_line(error: BaseException) -> str:
    """Give ``file:line`` of the innermost frame of an error that is the user's, or nothing."""
    found = ""
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not (_is_torch(file) or _is_ours(file)):
            found = f"{_shown(file)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


def _is_torch(file: str) -> bool:
    return file.startswith(_TORCH) or bool(_FOREIGN_TORCH.search(file))


def _is_ours(file: str) -> bool:
    """Tell whether a file is the importer's, or a module of spikec.nn."""
    return Path(file).resolve().parent in _OURS


def _shown(file: str) -> str:
    """Shorten a path below the working directory."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
