"""Frontends, passes and backends by name: the built-in tables and installed plug-ins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from spikec.backends import BACKENDS, Backend
from spikec.errors import Problem, UsageError
from spikec.frontends import FRONTENDS, Frontend
from spikec.passes import PASSES

if TYPE_CHECKING:
    from spikec.artifact import Exporter
    from spikec.pipeline import Pass

Item = TypeVar("Item")
BUILT_IN = "spikec itself"
"""the owner of the names in our own tables"""


@dataclass(frozen=True)
class Entry(Generic[Item]):
    """One name, whose it is, and how to load what stands behind it."""

    name: str
    owner: str
    load: Callable[[], Item]


Table = Mapping[str, Entry[Item]]


def frontends() -> Table[Frontend]:
    """Give all frontends; the framework behind each stays unloaded."""
    return _table(
        "spikec.frontends", {n: partial(_same, f) for n, f in FRONTENDS.items()}, Frontend
    )


def passes() -> Table[object]:
    """Give all passes."""
    return _table("spikec.passes", PASSES, object)


def pass_by_name(name: str) -> type[Pass]:
    """Load a pass; an unknown name is answered with the nearest known one."""
    from spikec.pipeline import Pass, suggestion

    table = passes()
    if name not in table:
        known = sorted(table)
        raise UsageError(
            f"no pass is called {name!r}", expected=", ".join(known), remedy=suggestion(name, known)
        )
    found: object = table[name].load()
    if not (isinstance(found, type) and issubclass(found, Pass)):
        raise UsageError(f"{table[name].owner} registers {name!r}, which is no pass")
    return found


def backends() -> Table[Backend]:
    """Give all backends of this version."""
    return _table("spikec.backends", {n: partial(_same, b) for n, b in BACKENDS.items()}, Backend)


def exporter_by_name(name: str) -> Exporter:
    """Load a backend; an unknown name is answered with the nearest known one."""
    from spikec.artifact import Exporter, ReadsBack
    from spikec.pipeline import suggestion

    table = backends()
    if name not in table:
        known = sorted(table)
        raise UsageError(
            f"no backend is called {name!r}",
            expected=", ".join(known),
            remedy=suggestion(name, known),
        )
    backend = table[name].load()
    found: object = backend.load()
    if not isinstance(found, Exporter):
        raise UsageError(f"{table[name].owner} registers {name!r}, which cannot export")
    if backend.reads_back and isinstance(found, ReadsBack):
        return found.reading_by(frontends()[backend.reads_back].load().load())
    return found


def frontend_of_file(path: Path) -> Frontend | None:
    """Choose by suffix; None where nobody takes such files."""
    return _only(str(path), lambda frontend: frontend.takes_file(path.suffix))


def frontend_of_object(model: object) -> Frontend | None:
    """Choose by the names of the object's classes; None where nobody takes it."""
    return _only(f"a {type(model).__qualname__}", lambda frontend: frontend.takes_object(model))


def accepted_models() -> str:
    """List, for messages, what the frontends take."""
    return "; ".join(entry.load().accepts for entry in frontends().values())


def _only(model: str, takes: Callable[[Frontend], bool]) -> Frontend | None:
    """Give the one frontend that takes the model; two claims are an error, not a race."""
    loaded = [(entry, entry.load()) for entry in frontends().values()]
    claims = [(entry, frontend) for entry, frontend in loaded if takes(frontend)]
    if len(claims) > 1:
        raise UsageError(
            f"several frontends claim {model}",
            where=", ".join(f"{entry.name} ({entry.owner})" for entry, _ in claims),
            remedy="uninstall the plug-in that you do not need",
        )
    return claims[0][1] if claims else None


def _table(group: str, builtin: Mapping[str, Callable[[], Item]], kind: type[Item]) -> Table[Item]:
    """Join the built-in names and those of plug-ins; a name that two own is an error."""
    entries = [Entry(name, BUILT_IN, load) for name, load in builtin.items()]
    entries += [
        Entry(point.name, _owner(point), partial(_load, point, kind))
        for point in sorted(
            entry_points(group=group), key=lambda point: (point.name, _owner(point))
        )
    ]
    owners: dict[str, list[str]] = {}
    for entry in entries:
        owners.setdefault(entry.name, []).append(entry.owner)
    clashes = [
        Problem(f"{n!r} belongs to {' and to '.join(o)}") for n, o in owners.items() if o[1:]
    ]
    if clashes:
        raise UsageError(
            f"a name stands twice in {group}",
            expected="one owner per name",
            remedy="uninstall one of the owners, or rename the entry point of the plug-in",
            problems=clashes,
        )
    return {entry.name: entry for entry in entries}


def _load(point: EntryPoint, kind: type[Item]) -> Item:
    """Load what a plug-in offers."""
    where = f"entry point {point.name} = {point.value} of {_owner(point)}"
    remedy = "update or uninstall the plug-in"
    try:
        item: Any = point.load()
    except Exception as error:  # whatever the plug-in's own code raises
        what = f"a plug-in cannot be loaded: {type(error).__name__}: {error}"
        raise UsageError(what, where=where, remedy=remedy) from error
    if not isinstance(item, kind):
        raise UsageError(
            f"a plug-in offers something of type {type(item).__name__}",
            where=where,
            expected=f"a {kind.__module__}.{kind.__qualname__}",
            remedy=remedy,
        )
    return item


def _owner(point: EntryPoint) -> str:
    """Name the distribution behind an entry point."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unnamed distribution"


def _same(item: Item) -> Item:
    return item
