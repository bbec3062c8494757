"""What exporting and running an export is about: the seam between programs and backends."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, get_type_hints, runtime_checkable

from numpy.typing import NDArray

from spikec.errors import BadFile, UsageError
from spikec.ir import Graph
from spikec.ir.verify import verify

Numbers = NDArray[Any]
MANIFEST = "manifest.json"
DIGEST = "sha256"
"""the manifest's entry for its own digest"""
FORMAT = 1
REQUIRED = {"backend": str, "program": str, "steps": int, "ways": list, "files": dict}
"""what every manifest holds"""


@dataclass(frozen=True)
class Deployable:
    """What a backend gets of a program."""

    graph: Graph
    steps: int
    recipe: str = ""
    preprocess: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Recorded:
    """What an export did with some samples, in the layout of the runtime's values."""

    outputs: Mapping[str, Numbers]
    """by output of the graph: the estimates of all steps"""
    spikes: Mapping[str, Numbers]
    """by neuron: values of the events"""
    tool: str
    """what ran it, with its version"""


@dataclass(frozen=True)
class Artifact:
    """A folder that a backend wrote, complete, with a manifest."""

    backend: str
    folder: Path
    manifest: Mapping[str, Any]

    @property
    def ways(self) -> tuple[str, ...]:
        """The ways in which it can be run; all of them are verified."""
        return tuple(self.manifest["ways"])

    @property
    def files(self) -> tuple[Path, ...]:
        """All files but the manifest."""
        return tuple(self.folder / name for name in self.manifest["files"])

    @staticmethod
    def open(folder: str | os.PathLike[str]) -> Artifact:
        """Read a folder's manifest, and check every file against it."""
        path = Path(folder)
        try:
            manifest = json.loads((path / MANIFEST).read_text("utf-8"))
        except (OSError, ValueError) as error:
            what = f"no export: {MANIFEST} cannot be read ({error})"
            raise BadFile(what, where=str(path), remedy="spikec export writes one") from error
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise BadFile("an export of another version", where=str(path), remedy="export again")
        digest = manifest.pop(DIGEST, None)
        missing = [key for key in REQUIRED if not isinstance(manifest.get(key), REQUIRED[key])]
        if missing:
            what = f"a manifest without {', '.join(missing)}"
            raise BadFile(what, where=str(path / MANIFEST), remedy="export again")
        if digest != _sum(manifest):
            what = "the manifest was changed"
            raise BadFile(what, where=str(path / MANIFEST), remedy="export again")
        for name, digest in manifest["files"].items():
            file = path / name
            if not file.is_file() or _digest(file) != digest:
                what = "a file of the export is missing or was changed"
                raise BadFile(what, where=str(file), remedy="export again")
        return Artifact(str(manifest["backend"]), path, manifest)


@runtime_checkable
class Exporter(Protocol):
    """What a backend does."""

    @property
    def write(self) -> Callable[..., Mapping[str, Any]]:
        """``write(source, folder, *, options…)``: write a Deployable's files into an empty folder.

        Gives the manifest's own part, with ``ways``.  Options are keywords.  Everything that
        cannot be written stands in one UnsupportedModel.
        """

    def run(self, artifact: Artifact, inputs: Mapping[str, Numbers], way: str) -> Recorded:
        """Run what was written, by the tool that it is for."""


@runtime_checkable
class ReadsBack(Exporter, Protocol):
    """A backend that can run what it writes by reading it: only the registry knows both sides."""

    def reading_by(self, reader: Callable[..., Graph]) -> Exporter:
        """Give the same backend, with what a frontend offers."""


def export(
    exporter: Exporter,
    backend: str,
    source: Deployable,
    folder: str | os.PathLike[str],
    **options: Any,
) -> Artifact:
    """Write a program for a backend: the folder is there whole, or not at all."""
    from spikec import __version__

    path = Path(folder)
    _check_options(exporter, backend, options)
    verify(source.graph)
    with new_folder(path) as fresh:
        own = exporter.write(source, fresh, **options)
        files = sorted(file for file in fresh.rglob("*") if file.is_file())
        manifest = {
            "format": FORMAT,
            "backend": backend,
            "spikec": __version__,
            "program": source.graph.name,
            "recipe": source.recipe,
            "steps": source.steps,
            "preprocess": dict(source.preprocess),
            "made": dict(source.record),
            **own,
            "files": {file.relative_to(fresh).as_posix(): _digest(file) for file in files},
        }
        plain = json.loads(json.dumps(manifest))
        text = json.dumps(
            {**plain, DIGEST: _sum(plain)}, indent=2, sort_keys=True, ensure_ascii=False
        )
        (fresh / MANIFEST).write_text(text + "\n", "utf-8")
    return Artifact(backend, path, plain)


def options_of(exporter: Exporter) -> dict[str, Any]:
    """Give the types of a backend's options, by name."""
    found = inspect.signature(exporter.write).parameters.values()
    known = [one.name for one in found if one.kind is inspect.Parameter.KEYWORD_ONLY]
    types = get_type_hints(
        exporter.write, localns=globals()
    )  # backends import these for types only
    return {name: types[name] for name in known}


def _check_options(exporter: Exporter, backend: str, options: Mapping[str, Any]) -> None:
    """Refuse options that a backend does not have."""
    known = options_of(exporter)
    unknown = [name for name in options if name not in known]
    if unknown:
        raise UsageError(
            f"backend {backend!r} has no option {', '.join(unknown)}",
            expected=", ".join(known) or "no options",
        )


def check_folder(path: Path) -> None:
    """Refuse, before any work is done, a folder that could not be written."""
    where = str(path)
    if path.is_dir():
        if not os.access(path, os.W_OK | os.X_OK):
            what, remedy = "no permission to write into this folder", f"chmod u+rwx {path}"
            raise UsageError(what, where=where, remedy=remedy)
        if any(path.iterdir()):
            remedy = "choose another folder, or remove this one"
            raise UsageError("the folder is not empty", where=where, remedy=remedy)
    elif path.exists() or path.is_symlink():
        remedy = "choose another folder, or remove the file"
        raise UsageError("a file stands in the folder's place", where=where, remedy=remedy)
    parent = path.absolute().parent
    if not parent.is_dir():
        raise UsageError("no such folder", where=str(parent), remedy=f"mkdir -p {parent}")
    if not os.access(parent, os.W_OK | os.X_OK):
        what, remedy = "no permission to write there", "choose a folder somewhere else"
        raise UsageError(what, where=str(parent), remedy=remedy)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``path``; it becomes ``path`` in one step at the end.

    An error removes it; what a kill leaves behind, under a name that starts with a dot, is removed
    by the next export to the same place.
    """
    check_folder(path)
    target = path.absolute()
    fresh = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
    _sweep(target)
    try:
        fresh.mkdir()
        with _in_use(fresh):
            yield fresh
        if os.name == "nt" and target.is_dir():
            target.rmdir()  # Windows renames onto nothing, not onto an empty folder
        os.replace(fresh, target)
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        remedy = "check permissions, and the space that is left on the disk"
        what = f"the folder cannot be written: {error.strerror or error}"
        raise BadFile(what, where=str(path), remedy=remedy) from error
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _sweep(target: Path) -> None:
    """Remove temporary folders of this target whose writers are gone (Windows cannot tell)."""
    if os.name == "nt":
        return
    for path in target.parent.iterdir():
        if path.name.startswith(f".{target.name}.") and path.suffix == ".tmp":
            with suppress(OSError), _in_use(path):
                shutil.rmtree(path)


@contextmanager
def _in_use(folder: Path) -> Iterator[None]:
    """Lock a folder; OSError where another process has.  The system unlocks it when we end."""
    if os.name == "nt":
        yield
        return
    import fcntl  # there is none on Windows

    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def _sum(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _digest(file: Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
