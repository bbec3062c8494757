"""The example of Spikinghash: clips, files of events, folders of recordings, the whole command."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from examples._progress import silent
from examples.spikinghash.__main__ import arguments, make, samples_of, settings_of
from examples.spikinghash.clips import KINDS, ORDER, PAIRS, Scene, clips, relevance
from examples.spikinghash.event_files import read_events
from examples.spikinghash.recordings import DATASETS, load_recordings
from examples.spikinghash.samples import filmed, load_samples
from spikec.errors import BadFile, DataError, UsageError
from spikec.nn import event_frames

QUIET = Scene(noise=0)


# ---- clips ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("pause", [0, 2, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_a_texture_moves_rests_and_moves(kind: str, pause: int) -> None:
    pairs, scene = KINDS[kind], replace(QUIET, pause=pause)
    x, y = clips(pairs, 40, scene)
    way = {"down": (3, 0), "right": (0, 3), "down-right": (3, 3), "down-left": (3, -3)}
    each = (8 - pause) // 2
    assert x.shape == (40, 8, 2, 16, 16)
    assert not x[:, each : 8 - each].any()
    for clip, label in zip(x, y, strict=True):
        for half, first in zip(pairs[label], (0, 8 - each), strict=True):
            for step in range(first, first + each - 1):
                moved = np.roll(clip[step], way[half], (1, 2))
                np.testing.assert_array_equal(clip[step + 1], moved)


def test_classes_by_order_show_the_same_in_sum() -> None:
    x, y = clips(ORDER, 2000, QUIET)
    means = [x[y == label].sum(axis=1).mean(axis=0) for label in (0, 1)]
    spread = x.sum(axis=1).std() / np.sqrt(1000)
    assert np.abs(means[0] - means[1]).max() < 6 * spread
    assert x[y == 0][:, :3].mean() == pytest.approx(x[y == 0][:, -3:].mean(), rel=0.05)


def test_clips_are_a_function_of_their_seed() -> None:
    one, same, other = (clips(PAIRS, 16, seed=s)[0] for s in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert np.bincount(clips(PAIRS, 16)[1]).tolist() == [2] * 8


def test_noise_is_as_rare_as_it_says() -> None:
    still = clips(ORDER, 200, replace(QUIET, pause=4, noise=0.0075))[0][:, 2:6]
    assert float(still.mean()) == pytest.approx(0.0075, rel=0.1)


def test_classes_with_a_motion_in_its_place_are_half_relevant() -> None:
    table = relevance(PAIRS)
    for i, one in enumerate(PAIRS):
        for j, other in enumerate(PAIRS):
            assert table[i, j] == (int(one[0] == other[0]) + int(one[1] == other[1])) / 2
    assert (np.diag(table) == 1).all()
    assert table.sum() == 8 * 2


@pytest.mark.parametrize("wrong", [{"pause": 3}, {"pause": 8}, {"texture": 17}, {"noise": 1}])
def test_scenes_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Scene(**wrong)
    with pytest.raises(UsageError, match="no clips of kind"):
        filmed("turns", QUIET)


# ---- files of events -----------------------------------------------------------------------------

COUNT = 300


def drawn(height: int = 128, width: int = 128, seed: int = 0, count: int = COUNT) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "x": rng.integers(0, width, count),
        "y": rng.integers(0, height, count),
        "t": np.sort(rng.integers(0, 100_000, count)),
        "p": rng.integers(0, 2, count),
    }


def write_aedat2(path: Path, events: dict[str, Any]) -> None:
    address = (127 - events["x"]) << 1 | events["y"] << 8 | (1 - events["p"])
    words = np.stack([address, events["t"]], axis=1).astype(">u4")
    head = b"#!AER-DAT2.0\r\n# This is a raw AE data file\r\n# Creation time: now\r\n"
    path.write_bytes(head + words.tobytes())


def write_aedat3(path: Path, events: dict[str, Any]) -> None:
    """Two packets of events, with an invalid one each, and one of another kind between them."""
    parts = [b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n"]
    for rows in np.array_split(np.arange(len(events["t"])), 2):
        data = events["x"][rows] << 17 | events["y"][rows] << 2 | events["p"][rows] << 1 | 1
        data, t = np.append(data, 5 << 17), np.append(events["t"][rows], 0)
        parts.append(packet(1, np.stack([data, t], axis=1).astype("<u4").tobytes(), 8))
        parts.append(packet(0, bytes(24), 8))
    path.write_bytes(b"".join(parts))


def packet(kind: int, content: bytes, size: int) -> bytes:
    number = len(content) // size
    return struct.pack("<HHIIIIII", kind, 1, size, 4, 0, number, number, number) + content


def write_npy(path: Path, events: dict[str, Any]) -> None:
    np.save(path, np.stack([events[name] for name in ("x", "y", "p", "t")], axis=1))


def write_npz(path: Path, events: dict[str, Any]) -> None:
    np.savez(path, **events)


def write_mat(path: Path, events: dict[str, Any]) -> None:
    from scipy.io import savemat

    named = {"x": "x", "y": "y", "t": "ts", "p": "pol"}
    savemat(path, {named[name]: column[:, None] for name, column in events.items()})


WRITERS: dict[str, tuple[str, Callable[[Path, dict[str, Any]], None]]] = {
    "aedat 2": (".aedat", write_aedat2),
    "aedat 3": (".aedat", write_aedat3),
    "npy": (".npy", write_npy),
    "npz": (".npz", write_npz),
    "mat": (".mat", write_mat),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_files_are_read(kind: str, tmp_path: Path) -> None:
    end, write = WRITERS[kind]
    path, events = tmp_path / f"a{end}", drawn()
    write(path, events)
    found = read_events(path)
    for name, column in events.items():
        np.testing.assert_array_equal(found[name], column, err_msg=name)


def test_aedat_4_is_read_by_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the library gives packets: of the first stream of events, between others."""
    events = drawn()
    fields: Any = [("t", "<u8"), ("x", "<u2"), ("y", "<u2"), (("p", "on"), "?")]
    rows = np.zeros(COUNT, fields)
    for name, column in events.items():
        rows[{"p": "on"}.get(name, name)] = column

    class Decoder:
        def __init__(self, path: str) -> None:
            self.path = path

        def id_to_stream(self) -> dict[int, dict[str, str]]:
            return {0: {"type": "frame"}, 1: {"type": "events"}, 2: {"type": "events"}}

        def __iter__(self) -> Iterator[dict[str, Any]]:
            yield {"stream_id": 1, "events": rows[:100]}
            yield {"stream_id": 0, "frame": None}
            yield {"stream_id": 2, "events": rows[:7]}
            yield {"stream_id": 1, "events": rows[100:]}

    monkeypatch.setitem(sys.modules, "aedat", SimpleNamespace(Decoder=Decoder))
    found = read_events(tmp_path / "a.aedat4")
    for name, column in events.items():
        np.testing.assert_array_equal(found[name], column)


def test_aedat_4_without_its_library_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "aedat", None)
    with pytest.raises(UsageError, match=r"spikec\[events"):
        read_events(tmp_path / "a.aedat4")


def test_events_come_in_the_order_of_time(tmp_path: Path) -> None:
    events = drawn()
    order = np.random.default_rng(1).permutation(COUNT)
    write_npz(tmp_path / "a.npz", {name: column[order] for name, column in events.items()})
    found = read_events(tmp_path / "a.npz")
    np.testing.assert_array_equal(found["t"], events["t"])
    frames = [event_frames(one, (128, 128), 4, by="time").sum() for one in (events, found)]
    assert frames[0] == frames[1] == COUNT


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.aedat", b"no header", "does not name AER-DAT"),
        ("a.aedat", b"#!AER-DAT2.0\r\n#", "header does not end"),
        ("a.aedat", b"#!AER-DAT2.0\r\n" + bytes(12), "last event is cut off"),
        ("a.aedat", b"#!AER-DAT3.1\r\n#!END-HEADER\r\n", "no polarity events"),
        ("a.aedat", b"#!AER-DAT3.1\r\n#!END-HEADER\r\nshort", "damaged"),
        ("a.aedat", b"#!AER-DAT1.0\r\n", "expected 2 or 3"),
        ("a.npy", b"nothing", "damaged"),
        ("a.mat", b"nothing", "damaged"),
        ("a.npz", b"nothing", "damaged"),
    ],
)
def test_damaged_files_are_told(name: str, content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadFile) as error:
        read_events(tmp_path / name)
    assert told in str(error.value)
    assert name in str(error.value)


def test_other_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"files that end in \.aedat"):
        read_events(tmp_path / "a.avi")
    np.savez(tmp_path / "b.npz", x=np.zeros(3), y=np.zeros(3), t=np.zeros(3))
    with pytest.raises(BadFile, match="expected one of p, pol"):
        read_events(tmp_path / "b.npz")
    np.save(tmp_path / "c.npy", np.zeros((3, 5)))
    with pytest.raises(BadFile, match="expected \\[events, 4\\]"):
        read_events(tmp_path / "c.npy")


# ---- folders -------------------------------------------------------------------------------------


def fill(folder: Path, kind: str, sensor: tuple[int, int], each: int = 6) -> dict[str, Any]:
    """Write recordings of two classes; give the events by name of the file."""
    end, write = WRITERS[kind]
    known = {}
    for label, name in enumerate(("bird", "cat")):
        (folder / name).mkdir(parents=True)
        for i in range(each):
            known[f"{name}_{i}"] = events = drawn(*sensor, seed=10 * label + i, count=50 + i)
            write(folder / name / f"{name}_{i}{end}", events)
    return known


LAYOUTS = {
    "cifar10-dvs": "aedat 2",
    "ucf101-dvs": "mat",
    "hmdb51-dvs": "mat",
    "hardvs": "npz",
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_folders_become_frames(name: str, tmp_path: Path) -> None:
    known = DATASETS[name]
    made = fill(tmp_path, LAYOUTS[name], known.sensor)
    samples = load_recordings(tmp_path, name, (32, 24), 4)
    parts = (samples.train, samples.held, samples.test)
    assert samples.recordings
    assert samples.classes == 2
    assert samples.size == (32, 24)
    assert sum(len(y) for _, y in parts) == 12
    counts = sorted(int(n) for x, _ in parts for n in x.sum(axis=(1, 2, 3, 4)))
    assert counts == sorted(len(events["t"]) for events in made.values())
    assert all(len(y) >= 1 for _, y in parts)


def test_pixels_are_joined(tmp_path: Path) -> None:
    made = fill(tmp_path, "npz", (260, 346), each=3)
    x, _ = load_recordings(tmp_path, "hardvs", (26, 34), 2).test
    found = []
    for events in made.values():
        wanted = np.zeros((2, 2, 26, 34))
        t = events["t"] - events["t"][0]
        step = np.minimum(t * 2 // t[-1], 1)
        np.add.at(wanted, (step, events["p"], events["y"] * 26 // 260, events["x"] * 34 // 346), 1)
        found.append(wanted)
    assert all(any((clip == one).all() for one in found) for clip in x)


def test_lists_of_files_divide(tmp_path: Path) -> None:
    fill(tmp_path, "mat", (180, 240))
    tested = ["cat/cat_1.avi", "bird/bird_4.avi", "bird/bird_5.avi"]
    rest = [f"{n}/{n}_{i}.avi 1" for n in ("bird", "cat") for i in range(6)]
    rest = [line for line in rest if line.split()[0] not in tested]
    (tmp_path / "trainlist01.txt").write_text("\n".join(rest))
    (tmp_path / "testlist01.txt").write_text("\n".join(tested))
    samples = load_recordings(tmp_path, "ucf101-dvs", (18, 24), 2)
    assert samples.test[1].tolist() == [0, 0, 1]
    assert len(samples.train[1]) + len(samples.held[1]) == 9


def test_gestures_are_cut_by_their_tables(tmp_path: Path) -> None:
    for user in range(4):
        events = drawn(seed=user, count=500)
        write_aedat3(tmp_path / f"user0{user}_led.aedat", events)
        rows = "".join(f"{label},{30_000 * label},{30_000 * (label + 1)}\n" for label in (1, 2))
        (tmp_path / f"user0{user}_led_labels.csv").write_text(f"class,start,end\n{rows}")
    (tmp_path / "trials_to_train.txt").write_text("user00_led.aedat\nuser01_led.aedat\n")
    (tmp_path / "trials_to_test.txt").write_text("user02_led.aedat\nuser03_led.aedat\n")
    samples = load_recordings(tmp_path, "dvs128-gesture", (16, 16), 4, held_share=0.5)
    assert samples.classes == 2
    assert samples.test[1].tolist() == [0, 1, 0, 1]
    t = drawn(seed=2, count=500)["t"]
    assert int(samples.test[0][0].sum()) == int(((t >= 30_000) & (t < 60_000)).sum())


def test_gestures_that_are_cut_already(tmp_path: Path) -> None:
    for side, users in (("ibmGestureTrain", (1, 2)), ("ibmGestureTest", (3,))):
        for user in users:
            (tmp_path / side / f"user0{user}_led").mkdir(parents=True)
            for label in (0, 1, 10):
                path = tmp_path / side / f"user0{user}_led" / f"{label}.npy"
                write_npy(path, drawn(seed=user))
    samples = load_recordings(tmp_path, "dvs128-gesture", (16, 16), 4)
    assert samples.classes == 11
    assert sorted(samples.test[1].tolist()) == [0, 1, 10]


def test_folders_that_do_not_fit_are_told(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="no such folder"):
        load_recordings(tmp_path / "none", "hardvs")
    with pytest.raises(BadFile, match="no recordings"):
        load_recordings(tmp_path, "hardvs")
    with pytest.raises(UsageError, match="cifar10-dvs"):
        load_recordings(tmp_path, "n-mnist")
    fill(tmp_path, "npz", (260, 346))
    with pytest.raises(DataError, match="sensor of 128 x 128"):
        load_recordings(tmp_path, "cifar10-dvs", (16, 16))
    (tmp_path / "train.txt").write_text("nobody\n")
    (tmp_path / "test.txt").write_text("nobody\n")
    with pytest.raises(DataError, match="check lists of files"):
        load_recordings(tmp_path, "hardvs", (16, 16))


# ---- arrays and the command ----------------------------------------------------------------------


def arrays(path: Path, count: int = 40) -> str:
    x, y = clips(KINDS["order"], count, QUIET)
    np.savez(path, train_x=x[:30], train_y=y[:30], test_x=x[30:], test_y=y[30:])
    return str(path)


def test_files_of_recordings_are_read(tmp_path: Path) -> None:
    samples = load_samples(arrays(tmp_path / "a.npz"))
    assert samples.recordings
    assert [len(part[1]) for part in (samples.train, samples.held, samples.test)] == [24, 6, 10]
    assert samples.channels == 2


def test_images_of_other_shapes_are_told(tmp_path: Path) -> None:
    x, y = np.zeros((10, 3, 5)), np.arange(10) % 2
    np.savez(tmp_path / "a.npz", train_x=x, train_y=y, test_x=x, test_y=y)
    with pytest.raises(DataError, match="recordings"):
        load_samples(str(tmp_path / "a.npz"))


@pytest.mark.slow
@pytest.mark.parametrize("bits", [None, "8"])
def test_the_command_does_it_all(bits: str | None, tmp_path: Path) -> None:
    source = arrays(tmp_path / "a.npz")
    told = ["--data", source, "--network", "ti", "--dims", "4,4,8,8", "--epochs", "1", "--k", "10"]
    told += ["--warm-epochs", "1"]
    given = arguments(told + ([] if bits is None else ["--bits", bits, "--mode", "hard"]))
    made = make(settings_of(given), samples_of(given, silent), given.k, tmp_path / "out")
    lines = (tmp_path / "out" / "epochs.jsonl").read_text().splitlines()
    epochs = [json.loads(line)["epoch"] for line in lines]
    assert epochs == list(range(2 if bits is None else 3))
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"program.spk", "weights.safetensors", "epochs.jsonl", "report.html", "onnx"} <= files
    assert "0 unequal" in made["program"]["verified"]
    assert made["program"]["accuracy"] == made["accuracy"]
    if bits is not None:
        assert made["program"]["same_codes"] == 1
        assert 0 <= made["retrieval"]["mean_average_precision"] <= 1
