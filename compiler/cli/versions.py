"""What is installed and whether it is new enough, read from metadata without importing it."""

from __future__ import annotations

import re
from dataclasses import dataclass

CORE = ("torch", "numpy", "onnx", "onnxruntime", "networkx", "safetensors", "rich", "typer")
EXTRA = {
    "onnxscript": "exports PyTorch modules to ONNX, in `spikec demo`",
    "scikit-learn": "digits and their labels, in `spikec demo`",
}
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)\s*(?:\[[^]]*\])?\s*(?P<range>[^;]*)(?P<marker>;.*)?")
_BOUND = re.compile(r"(>=|<)\s*([\d.]+)")


@dataclass(frozen=True)
class Installed:
    """One distribution: what is there and what spikec asks for."""

    name: str
    version: str
    """empty where it is not installed"""
    required: str
    problem: str
    """empty where nothing is wrong"""
    install: str


def installed(name: str) -> str:
    """Give the version of a distribution, or an empty text."""
    from importlib.metadata import PackageNotFoundError, version  # `--help` can do without

    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def core() -> tuple[Installed, ...]:
    """Check every distribution that spikec cannot do without."""
    ranges = _ranges()
    return tuple(_checked(name, ranges.get(name, "")) for name in CORE)


def _checked(name: str, required: str) -> Installed:
    found = installed(name)
    problem = ""
    if not found:
        problem = "not installed"
    elif not within(found, required):
        problem = f"{found} is outside {required}"
    return Installed(name, found, required, problem, f'pip install "{name}{required}"')


def _ranges() -> dict[str, str]:
    """Read what spikec's own metadata asks for; nothing where it runs uninstalled."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        lines = requires("spikec") or []
    except PackageNotFoundError:
        return {}
    matches = [match for line in lines if (match := _REQUIREMENT.fullmatch(line))]
    return {m["name"]: m["range"].strip() for m in matches if not m["marker"]}


def within(found: str, required: str) -> bool:
    """Compare a version with a range of ``>=`` and ``<``, by its numbers.

    >>> within("2.13.0+cpu", "<3,>=2.8"), within("2.7.1", ">=2.8")
    (True, False)
    """
    mine = _numbers(found)
    for sign, bound in _BOUND.findall(required):
        if (mine >= _numbers(bound)) != (sign == ">="):
            return False
    return True


def _numbers(text: str) -> tuple[int, ...]:
    head = re.match(r"\d+(?:\.\d+)*", text)
    parts = tuple(map(int, head[0].split("."))) if head else ()
    return parts + (0,) * (4 - len(parts))
