"""Frames of recordings, against a loop over their events."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spikec.errors import DataError, UsageError
from spikec.nn import event_frames

SIZE, STEPS = (5, 7), 4


def recording(count: int = 200, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "x": rng.integers(0, SIZE[1], count).astype(np.uint16),
        "y": rng.integers(0, SIZE[0], count).astype(np.uint16),
        "t": np.sort(rng.integers(1000, 9000, count)),
        "p": rng.integers(0, 2, count).astype(np.int8),
    }


@pytest.mark.parametrize("by", ["time", "count"])
def test_every_event_counts_once(by: str) -> None:
    events = recording()
    frames = event_frames(events, SIZE, STEPS, by=by)
    wanted = np.zeros((STEPS, 2, *SIZE))
    first, last = int(events["t"][0]), int(events["t"][-1])
    for i, (x, y, t, p) in enumerate(zip(*events.values(), strict=True)):
        at = (int(t) - first) * STEPS // (last - first) if by == "time" else i * STEPS // 200
        wanted[min(at, STEPS - 1), p, y, x] += 1
    np.testing.assert_array_equal(frames.numpy(), wanted)


def test_forms_of_a_recording_mean_the_same() -> None:
    events = recording()
    wanted = event_frames(events, SIZE, STEPS)
    named = np.zeros(200, [("t", "i8"), ("x", "u2"), ("y", "u2"), ("p", "i1")])
    for name, column in events.items():
        named[name] = column
    table = np.stack([events[n] for n in "xytp"], axis=1)
    signed = {**events, "p": events["p"] * 2 - 1}
    for other in (named, table, table.astype(float), signed):
        torch.testing.assert_close(event_frames(other, SIZE, STEPS), wanted)
    binary = event_frames(events, SIZE, STEPS, binary=True)
    torch.testing.assert_close(binary, (wanted > 0).float())


def test_one_event_is_a_recording() -> None:
    one = {name: column[:1] for name, column in recording().items()}
    assert event_frames(one, SIZE, STEPS).sum() == 1


def changed(name: str, at: int, value: float) -> dict[str, np.ndarray]:
    events = {key: column.astype(float) for key, column in recording().items()}
    events[name][at] = value
    return events


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ({name: column[:0] for name, column in recording().items()}, "without events"),
        (np.zeros((0, 4)), "without events"),
        (changed("t", 7, 1e6), r"event 8 \(t = \d+\) comes before event 7"),
        (changed("x", 3, 7), r"x = 7 \(event 3\)"),
        (changed("y", 3, -1), r"y = -1 \(event 3\)"),
        (changed("p", 3, 2), "polarities"),
        (changed("p", 3, -1), "polarities"),
        (changed("t", 3, np.nan), "t of events holds no whole numbers"),
        (changed("x", 3, 0.5), "x of events holds no whole numbers"),
        (np.zeros((3, 3)), "shape"),
        ({"x": [1], "y": [1]}, "fields x, y, t, p"),
        ("events.npy", "fields x, y, t, p"),
        ({**recording(), "x": np.zeros(3)}, "different shapes"),
    ],
)
def test_bad_recordings_are_refused(events: object, told: str) -> None:
    with pytest.raises(DataError, match=told):
        event_frames(events, SIZE, STEPS)


def test_bad_options_are_refused() -> None:
    with pytest.raises(UsageError, match="by='size'"):
        event_frames(recording(), SIZE, STEPS, by="size")
    with pytest.raises(UsageError, match="0 steps"):
        event_frames(recording(), SIZE, 0)
