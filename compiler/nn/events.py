"""Recordings of event cameras as frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikec.errors import DataError, UsageError
from spikec.nn.clock import check_steps

FIELDS = ("x", "y", "t", "p")
POLARITIES = 2


def event_frames(
    events: Any, size: tuple[int, int], steps: int, *, by: str = "time", binary: bool = False
) -> Tensor:
    """Count events per step, polarity and pixel: (x, y, t, p) -> [T, 2, H, W].

    ``events`` is a structured array with the fields x, y, t, p, a mapping of these, or an array
    [events, 4]; ``size`` is (H, W).  ``by="time"`` cuts the recording into steps of equal length,
    step ⌊T (t - t₀) / (t₁ - t₀)⌋ (the last event belongs to the last step); ``by="count"`` into
    steps of equally many events, step ⌊T i / N⌋ of event i of N.  Polarity is 0 or 1, or -1 and 1.
    ``binary`` gives 1 wherever there is any event.
    """
    if by not in ("time", "count"):
        raise UsageError(f"by={by!r}", expected="time or count")
    check_steps(steps)
    columns = {name: _whole(name, array) for name, array in _columns(events).items()}
    x, y, t, p = (columns[name] for name in FIELDS)
    height, width = size
    _check(columns, height, width)
    count = len(t)
    if by == "count":
        step = np.arange(count) * steps // count
    else:
        span = max(int(t[-1] - t[0]), 1)
        step = np.minimum((t - t[0]) * steps // span, steps - 1)
    place = ((step * POLARITIES + (p > 0)) * height + y) * width + x
    total = steps * POLARITIES * height * width
    counts = np.bincount(place, minlength=total).reshape(steps, POLARITIES, height, width)
    frames = torch.from_numpy(counts.astype(np.float32))
    return (frames > 0).float() if binary else frames


def _columns(events: Any) -> dict[str, NDArray[Any]]:
    if isinstance(events, np.ndarray) and events.dtype.names is None:
        if events.ndim != 2 or events.shape[1] != len(FIELDS):
            raise DataError(f"events of shape {list(events.shape)}", expected="[events, 4]")
        return dict(zip(FIELDS, events.T, strict=True))
    try:
        found = {name: np.asarray(events[name]) for name in FIELDS}
    except (KeyError, ValueError, TypeError, IndexError):
        raise DataError(
            f"events of type {type(events).__name__}",
            expected="fields x, y, t, p, or an array [events, 4]",
        ) from None
    if len({array.shape for array in found.values()}) > 1 or found["t"].ndim != 1:
        shapes = {name: list(array.shape) for name, array in found.items()}
        raise DataError(f"fields of different shapes: {shapes}", expected="one number per event")
    return found


def _whole(name: str, array: NDArray[Any]) -> NDArray[np.int64]:
    if array.dtype.kind not in "iufb" or not np.array_equal(array, np.round(array)):
        raise DataError(f"{name} of events holds no whole numbers", expected="whole numbers")
    return array.astype(np.int64)


def _check(columns: dict[str, NDArray[np.int64]], height: int, width: int) -> None:
    """Refuse recordings that are empty, out of order or out of range."""
    x, y, t, p = (columns[name] for name in FIELDS)
    if not len(t):
        raise DataError("a recording without events", expected="at least one event")
    back = np.flatnonzero(np.diff(t) < 0)
    if back.size:
        at = int(back[0])
        raise DataError(
            f"event {at + 1} (t = {t[at + 1]}) comes before event {at} (t = {t[at]})",
            expected="events in the order of time",
            remedy="sort them by t",
        )
    for name, array, most in (("x", x, width), ("y", y, height)):
        wrong = np.flatnonzero((array < 0) | (array >= most))
        if wrong.size:
            raise DataError(
                f"{wrong.size} events lie outside: {name} = {array[wrong[0]]} (event {wrong[0]})",
                expected=f"{name} from 0 to {most - 1}",
                remedy="give the sensor's size (H, W)",
            )
    if not np.isin(p, (-1, 0, 1)).all() or (np.isin(p, -1).any() and np.isin(p, 0).any()):
        raise DataError(f"polarities {np.unique(p)[:5].tolist()}", expected="0 and 1, or -1 and 1")
