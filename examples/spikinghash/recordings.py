"""Folders of recorded events as frames: CIFAR10-DVS, DVS128 Gesture, UCF101-, HMDB51-DVS, HARDVS.

A folder holds one folder per class, or folders ``train`` and ``test`` of these.  Lists of files
(``train.txt``, ``test.txt``, a name per line, whatever its ending) divide it where they lie beside
the classes; else a share of each class is drawn.  DVS128 Gesture may also be as it was published:
recordings of many gestures, each with a table of when they begin and end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from examples.spikinghash.event_files import READERS, Events, read_events
from examples.spikinghash.samples import Part, Samples
from spikec.errors import BadFile, DataError, UsageError
from spikec.nn import event_frames
from spikec.training.trainer import Progress

TRAIN, TEST = "train", "test"
LISTS: Mapping[str, tuple[str, ...]] = {
    TRAIN: ("train.txt", "train_label.txt", "trainlist01.txt", "trials_to_train.txt"),
    TEST: ("test.txt", "test_label.txt", "testlist01.txt", "trials_to_test.txt"),
}
"""what lists of files are called"""
TABLE_END = "_labels.csv"
"""of DVS128 Gesture: class, begin and end in microseconds per line, below a title"""


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
    clips, classes = _clips(folder, known.class_in_name)
    rng = np.random.default_rng(seed)
    learned, tested = _divided(folder, clips, known.test_share, rng)
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
    counts = event_frames(smaller, size, steps).numpy()
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


def _clips(folder: Path, class_in_name: bool) -> tuple[list[Clip], int]:
    """Find all recordings; classes are the names of their folders in alphabetical order."""
    if not folder.is_dir():
        raise BadFile("no such folder", where=str(folder))
    paths = sorted(p for p in folder.rglob("*") if p.suffix in READERS)
    if not paths:
        ends = ", ".join(READERS)
        raise BadFile(f"no recordings ({ends}) in this folder", where=str(folder))
    tables = [_table_of(path) for path in paths]
    if any(table.exists() for table in tables):
        found = [clip for p, t in zip(paths, tables, strict=True) for clip in _gestures(p, t)]
        return found, 1 + max(clip.label for clip in found)
    if class_in_name and all(path.stem.isdigit() for path in paths):
        found = [Clip(path, int(path.stem)) for path in paths]
        return found, 1 + max(clip.label for clip in found)
    names = sorted({path.parent.name for path in paths})
    numbers = {name: number for number, name in enumerate(names)}
    return [Clip(path, numbers[path.parent.name]) for path in paths], len(names)


def _table_of(path: Path) -> Path:
    return path.with_name(path.stem + TABLE_END)


def _gestures(path: Path, table: Path) -> Iterator[Clip]:
    """Give what a recording's table lists; one without a table holds nothing."""
    if not table.exists():
        return
    try:
        rows = np.loadtxt(table, np.int64, delimiter=",", skiprows=1, ndmin=2)
        for label, first, last in rows.tolist():
            yield Clip(path, label - 1, (first, last))
    except ValueError as error:
        raise BadFile(f"no table of gestures ({error})", where=str(table)) from None


def _divided(
    folder: Path, clips: list[Clip], share: float, rng: np.random.Generator
) -> tuple[list[Clip], list[Clip]]:
    """Divide by lists of files, by folders train and test, or by chance."""
    lists = {part: _listed(folder, names) for part, names in LISTS.items()}
    if lists[TRAIN] and lists[TEST]:
        both = [[c for c in clips if c.path.stem in lists[part]] for part in (TRAIN, TEST)]
        return both[0], both[1]
    sides = {clip.path: clip.path.relative_to(folder).parts[0].lower() for clip in clips}
    tested = [clip for clip in clips if TEST in sides[clip.path]]
    learned = [clip for clip in clips if TRAIN in sides[clip.path]]
    if learned and tested:
        return learned, tested
    return _drawn(clips, share, rng)


def _listed(folder: Path, names: tuple[str, ...]) -> frozenset[str]:
    """Give the names in the first list that is there, without folders, endings and classes."""
    there = [folder / name for name in names if (folder / name).is_file()]
    if not there:
        return frozenset()
    lines = there[0].read_text("utf-8").splitlines()
    return frozenset(Path(line.split()[0]).stem for line in lines if line.strip())


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
