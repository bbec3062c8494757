"""Folders of recorded events as frames: CIFAR10-DVS, DVS128 Gesture, UCF101-, HMDB51-DVS, HARDVS.

A folder holds one folder per class, or folders ``train`` and ``test`` of these, and ``val`` if the
epoch is not to be chosen by a share of ``train``.  Lists of files (``train.txt``, ``test.txt``, a
name per line, whatever its ending, with the folder of its class where names repeat) divide it where
they lie beside the classes; what neither names is left out.  Without either, a share of each class
is drawn.  DVS128 Gesture may also be as it was published: recordings of many gestures, each with a
table of when they begin and end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from examples._arrays import Part
from examples.spikinghash.event_files import READERS, Events, read_events
from examples.spikinghash.samples import Samples
from spikec.errors import BadFile, DataError, Problem, UsageError
from spikec.nn import event_frames
from spikec.nn.checks import check_sides
from spikec.training.trainer import Progress

TRAIN, VAL, TEST = "train", "val", "test"
VAL_NAMES = (VAL, "valid", "validation")
LISTS: Mapping[str, tuple[str, ...]] = {
    TRAIN: ("train.txt", "train_label.txt", "trainlist01.txt", "trials_to_train.txt"),
    TEST: ("test.txt", "test_label.txt", "testlist01.txt", "trials_to_test.txt"),
}
"""what lists of files are called"""
TABLE_END = "_labels.csv"
"""of DVS128 Gesture: class, begin and end in microseconds per line, below a title"""
SHOWN = 3
"""names in an error"""


@dataclass(frozen=True)
class Dataset:
    """What is known of a data set."""

    sensor: tuple[int, int]
    """height and width"""
    steps: int
    test_share: float
    """of each class, where nothing says what is tested on"""
    class_in_name: bool = False
    """whether files are called 0, 1, … by their class, as gestures that were cut apart"""


DATASETS: Mapping[str, Dataset] = {
    "cifar10-dvs": Dataset((128, 128), 16, 0.1),
    "dvs128-gesture": Dataset((128, 128), 16, 0.2, class_in_name=True),
    "ucf101-dvs": Dataset((180, 240), 8, 0.3),
    "hmdb51-dvs": Dataset((180, 240), 8, 0.3),
    "hardvs": Dataset((260, 346), 8, 0.3),
}
"""steps and shares are those of Spikinghash"""


@dataclass(frozen=True)
class Clip:
    """A recording, or what lies in it between two times in microseconds, of a class."""

    path: Path
    label: int
    span: tuple[int, int] | None = None


def load_recordings(
    folder: Path,
    name: str,
    size: tuple[int, int] | None = None,
    steps: int | None = None,
    *,
    seed: int = 0,
    held_share: float = 0.1,
    progress: Progress = lambda done, total: None,
) -> Samples:
    """Read a folder as frames of ``size`` (the sensor's, if none), counts of events up to 255."""
    if name not in DATASETS:
        raise UsageError(f"no data set {name!r}", expected=", ".join(DATASETS))
    known = DATASETS[name]
    paths = _recordings(folder)
    clips, classes = _clips(folder, paths, known.class_in_name)
    rng = np.random.default_rng(seed)
    learned, held, tested = _divided(folder, paths, clips, known.test_share, rng)
    if not held:
        learned, held = _drawn(learned, held_share, rng)
    parts, total, done = [], len(clips), 0
    for part in (learned, held, tested):
        frames = []
        for clip in part:
            frames.append(frames_of(clip, known.sensor, size or known.sensor, steps or known.steps))
            done += 1
            progress(done, total)
        parts.append(_stacked(frames, part, folder))
    train, chosen, test = parts
    return Samples(train, chosen, test, classes)


def frames_of(
    clip: Clip, sensor: tuple[int, int], size: tuple[int, int], steps: int
) -> NDArray[np.uint8]:
    """Count events per step, polarity and pixel of a smaller image: [T, 2, H, W]."""
    events = _between(read_events(clip.path), clip.span)
    if not len(events["t"]):
        raise DataError("a recording without events", where=str(clip.path))
    smaller = dict(events)
    for axis, full, wanted in (("y", sensor[0], size[0]), ("x", sensor[1], size[1])):
        if not ((events[axis] >= 0) & (events[axis] < full)).all():
            raise DataError(
                f"{axis} from {events[axis].min()} to {events[axis].max()}",
                where=str(clip.path),
                expected=f"0 to {full - 1}, of a sensor of {sensor[0]} x {sensor[1]}",
            )
        smaller[axis] = events[axis] * wanted // full
    try:
        counts = event_frames(smaller, check_sides(size, "frames of size {}"), steps).numpy()
    except (DataError, UsageError) as error:  # it knows no file
        where, right, remedy = str(clip.path), error.expected, error.remedy
        raise type(error)(error.what, where=where, expected=right, remedy=remedy) from None
    frames: NDArray[np.uint8] = np.minimum(counts, 255).astype(np.uint8)
    return frames


def _between(events: Events, span: tuple[int, int] | None) -> Events:
    if span is None:
        return events
    first, last = np.searchsorted(events["t"], span)
    return {name: column[first:last] for name, column in events.items()}


def _stacked(frames: list[NDArray[np.uint8]], clips: Sequence[Clip], folder: Path) -> Part:
    if not frames:
        raise DataError(
            "too few recordings to learn from, to choose by and to test on",
            where=str(folder),
            remedy="check lists of files, if there are any, or give more recordings",
        )
    return np.stack(frames), np.array([clip.label for clip in clips], np.int64)


def _recordings(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise BadFile("no such folder", where=str(folder))
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in READERS)
    if not paths:
        ends = ", ".join(READERS)
        raise BadFile(f"no recordings ({ends}) in this folder", where=str(folder))
    return paths


def _clips(folder: Path, paths: list[Path], class_in_name: bool) -> tuple[list[Clip], int]:
    """Take classes from tables, from files' names, or from folders' in alphabetical order."""
    tables = [_table_of(path) for path in paths]
    if any(table.exists() for table in tables):
        found = [clip for p, t in zip(paths, tables, strict=True) for clip in _gestures(p, t)]
    elif class_in_name and all(path.stem.isdecimal() for path in paths):
        found = [Clip(path, int(path.stem)) for path in paths]
    else:
        _check_folders(folder, paths)
        names = sorted({path.parent.name for path in paths})
        numbers = {name: number for number, name in enumerate(names)}
        found = [Clip(path, numbers[path.parent.name]) for path in paths]
    labels = {clip.label for clip in found}
    if len(labels) < 2:
        raise DataError(
            f"{len(found)} samples of {len(labels)} classes",
            where=str(folder),
            expected="2 classes or more",
            remedy=f"give a folder per class, or list the gestures in FILE{TABLE_END}",
        )
    return found, 1 + max(labels)


def _check_folders(folder: Path, paths: list[Path]) -> None:
    """Refuse what lies beside the folders of classes: ``train`` would become a class."""
    sides = {path: _side(folder, path) for path in paths}
    divided = len({*sides.values()} - {""}) > 1
    names = [path.relative_to(folder) for path in paths]
    loose = [
        str(name)
        for name, side in zip(names, sides.values(), strict=True)
        if len(name.parts) < (3 if divided and side else 2)
    ]
    if loose:
        raise DataError(
            f"recordings in no folder of a class: {_few(loose)}",
            where=str(folder),
            expected="CLASS/FILE, or train/CLASS/FILE and test/CLASS/FILE",
            remedy="move each into a folder that is called as its class",
        )


def _side(folder: Path, path: Path) -> str:
    """Give train, val or test, by the name of the outermost folder, or nothing."""
    first, *rest = path.relative_to(folder).parts
    name = first.lower() if rest else ""
    sides = [VAL] if name in VAL_NAMES else [side for side in (TRAIN, TEST) if side in name]
    return sides[0] if len(sides) == 1 else ""


def _few(names: Sequence[str]) -> str:
    rest = f", … ({len(names)} in all)" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + rest


def _table_of(path: Path) -> Path:
    return path.with_name(path.stem + TABLE_END)


def _gestures(path: Path, table: Path) -> Iterator[Clip]:
    """Give what a recording's table lists; one without a table holds nothing."""
    if not table.exists():
        return
    try:
        lines = [line for line in table.read_text("utf-8").splitlines()[1:] if line.strip()]
        rows = np.loadtxt(lines, np.int64, delimiter=",", ndmin=2).tolist() if lines else []
        for label, first, last in rows:
            yield Clip(path, label - 1, (first, last))
    except (OSError, ValueError) as error:
        raise BadFile(f"no table of gestures ({error})", where=str(table)) from None


def _divided(
    folder: Path, paths: list[Path], clips: list[Clip], share: float, rng: np.random.Generator
) -> tuple[list[Clip], list[Clip], list[Clip]]:
    """Divide by lists of files, by folders train, val and test, or by chance."""
    listed = _listed(folder, paths)
    if listed:
        both = [[clip for clip in clips if clip.path in listed[part]] for part in (TRAIN, TEST)]
        return both[0], [], both[1]
    sides = {clip.path: _side(folder, clip.path) for clip in clips}
    if len({*sides.values()} - {""}) > 1:
        _check_division(folder, sides)
        by = {part: [c for c in clips if sides[c.path] == part] for part in (TRAIN, VAL, TEST)}
        return by[TRAIN], by[VAL], by[TEST]
    learned, tested = _drawn(clips, share, rng)
    return learned, [], tested


def _check_division(folder: Path, sides: Mapping[Path, str]) -> None:
    """Refuse folders that would be left out, and a division without train or test."""
    others = sorted({p.relative_to(folder).parts[0] for p, side in sides.items() if not side})
    problems = [
        Problem(f"no folder {side}") for side in (TRAIN, TEST) if side not in sides.values()
    ]
    if others:
        problems.append(Problem(f"{_few(others)}: neither to learn from nor to test on"))
    if problems:
        raise DataError(
            "folders that do not divide the recordings",
            where=str(folder),
            expected="train, test and, to choose the epoch by, val",
            remedy="rename them, or move away what is of no use",
            problems=problems,
        )


def _listed(folder: Path, paths: list[Path]) -> Mapping[str, frozenset[Path]]:
    """Give the recordings that the first list of each part names; nothing without lists."""
    lists = {
        part: [folder / name for name in names if (folder / name).is_file()][:1]
        for part, names in LISTS.items()
    }
    if not any(lists.values()):
        return {}
    by_end = _by_end(folder, paths)
    found, problems = {}, []
    for part, there in lists.items():
        named = {name: _named(name, by_end) for file in there for name in _names(file)}
        unknown = [repr(name) for name, those in named.items() if not those]
        found[part] = frozenset(path for those in named.values() for path in those)
        if not there:
            problems.append(Problem(f"no list to {part}", expected=", ".join(LISTS[part])))
        elif not named:
            problems.append(Problem("a list without names", where=str(there[0])))
        if unknown:
            told = f"lines that name no recording: {_few(unknown)}"
            problems.append(Problem(told, where=str(there[0])))
    twice = sorted(str(p.relative_to(folder)) for p in found[TRAIN] & found[TEST])
    if twice:
        problems.append(Problem(f"recordings in both lists: {_few(twice)}"))
    if problems:
        raise DataError(
            "lists that do not divide the recordings",
            where=str(folder),
            expected="lists to train and to test, CLASS/FILE per line, each recording in one",
            remedy="check lists of files, or take them away to divide without",
            problems=problems,
        )
    return found


def _names(file: Path) -> Iterator[str]:
    """Give the first word of each line; behind it may stand a class."""
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise BadFile(f"no list of recordings ({error})", where=str(file)) from None
    return (line.split()[0] for line in lines if line.strip())


def _place(path: Path) -> tuple[str, ...]:
    return (*path.parent.parts, path.stem)


def _by_end(folder: Path, paths: list[Path]) -> Mapping[tuple[str, ...], list[Path]]:
    """Index recordings by name, by folder and name, by two folders and name, …"""
    found: dict[tuple[str, ...], list[Path]] = defaultdict(list)
    for path in paths:
        place = _place(folder.resolve().name / path.relative_to(folder))
        for start in range(len(place)):
            found[place[start:]].append(path)
    return found


def _named(name: str, by_end: Mapping[tuple[str, ...], list[Path]]) -> list[Path]:
    """Find by as many folders as fit; by at least one, if the name has any."""
    place = _place(Path(name))
    ends = (place[start:] for start in range(max(len(place) - 1, 1)))
    return next((by_end[end] for end in ends if end in by_end), [])


def _drawn(
    clips: Sequence[Clip], share: float, rng: np.random.Generator
) -> tuple[list[Clip], list[Clip]]:
    """Draw a share of each class: the rest, and the share; at least one of any class of two."""
    labels = np.array([clip.label for clip in clips])
    chosen = np.zeros(len(clips), bool)
    for label in np.unique(labels):
        where = rng.permutation(np.flatnonzero(labels == label))
        chosen[where[: max(round(share * len(where)), int(len(where) > 1))]] = True
    rest = [clip for clip, one in zip(clips, chosen, strict=True) if not one]
    return rest, [clip for clip, one in zip(clips, chosen, strict=True) if one]
