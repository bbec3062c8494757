"""Files of events that are damaged or odd, and folders of them that do not divide: all is told."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from examples.spikinghash.event_files import read_events
from examples.spikinghash.recordings import load_recordings
from spikec.errors import BadFile, DataError, MissingDependency, SpikecError, UsageError

COUNT = 20
FIELDS = ("x", "y", "t", "p")


def drawn(count: int = COUNT) -> dict[str, Any]:
    rng = np.random.default_rng(count)
    fields = {name: rng.integers(0, 128, count) for name in ("x", "y")}
    return fields | {"t": np.arange(count), "p": rng.integers(0, 2, count)}


def put(folder: Path, *names: str) -> None:
    """Write recordings, each of one event more than the one before."""
    for i, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **drawn(COUNT + i))


def counts(part: tuple[Any, Any]) -> list[int]:
    """Tell recordings apart by their events."""
    return sorted(int(clip.sum()) - COUNT for clip in part[0])


def load(folder: Path, name: str = "cifar10-dvs", side: int = 8) -> Any:
    return load_recordings(folder, name, (side, side), 2)


# ---- fields --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "odd", [0.5, np.nan, np.inf, -np.inf, 1e300, 1j, np.uint64(2**63), np.array("1")], ids=repr
)
def test_what_is_not_whole_is_refused(odd: Any, tmp_path: Path) -> None:
    events = drawn()
    whole = events | {"t": events["t"].astype(float)}
    np.savez(tmp_path / "a.npz", **whole)
    np.testing.assert_array_equal(read_events(tmp_path / "a.npz")["t"], events["t"])
    for name in FIELDS:
        wrong = events[name].astype(np.asarray(odd).dtype)
        wrong[3] = odd
        np.savez(tmp_path / "a.npz", **events | {name: wrong})
        with pytest.raises(DataError) as error:
            read_events(tmp_path / "a.npz")
        (problem,) = error.value.problems
        assert problem.what.startswith(f"{name} (")
        assert ("microseconds" in problem.remedy) == (name == "t")
        assert "a.npz" in error.value.where


def test_all_columns_that_are_not_whole_are_told_at_once(tmp_path: Path) -> None:
    events = np.stack([drawn()[name] for name in ("x", "y", "p", "t")], axis=1)
    np.save(tmp_path / "a.npy", events + np.array([0.5, 0, 0, 0.25]))
    with pytest.raises(DataError) as error:
        read_events(tmp_path / "a.npy")
    assert [p.what[:1] for p in error.value.problems] == ["x", "t"]


@pytest.mark.parametrize("shape", [(), (COUNT - 1,), (COUNT + 1,), (COUNT, 1), (2, COUNT)])
@pytest.mark.parametrize("name", FIELDS)
def test_fields_of_other_shapes_are_refused(
    name: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    np.savez(tmp_path / "a.npz", **drawn() | {name: np.zeros(shape, int)})
    with pytest.raises(DataError) as error:
        read_events(tmp_path / "a.npz")
    (problem,) = error.value.problems
    assert f"{name} {list(shape)}" in problem.what
    assert problem.what.count(f"[{COUNT}]") == 3
    assert "a.npz" in error.value.where


def test_fields_that_are_all_tables_are_refused(tmp_path: Path) -> None:
    from scipy.io import savemat

    tables = {name: field.reshape(-1, 2) for name, field in drawn().items()}
    savemat(tmp_path / "a.mat", tables)
    np.savez(tmp_path / "a.npz", **tables)
    for end in ("mat", "npz"):
        with pytest.raises(DataError, match=r"t \[10, 2\]"):
            read_events(tmp_path / f"a.{end}")


# ---- damaged files -------------------------------------------------------------------------------


def packed(save: Any) -> bytes:
    content = io.BytesIO()
    save(content, **drawn(500))
    return content.getvalue()


def headed(header: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


def shaped(count: int) -> bytes:
    return headed(f"{{'descr': '<i8', 'fortran_order': False, 'shape': ({count}, 4)}}\n")


def npy() -> bytes:
    content = io.BytesIO()
    np.save(content, np.zeros((5, 4), int))
    return content.getvalue()


def damaged_deflate() -> bytes:
    whole = bytearray(packed(np.savez_compressed))
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        info = file.infolist()[0]
    start = info.header_offset + 30 + len(info.filename) + 20  # behind what zip64 adds
    whole[start : start + 40] = b"\xff" * 40
    return bytes(whole)


def damaged_mat() -> bytes:
    from scipy.io import savemat

    content = io.BytesIO()
    savemat(content, drawn())
    whole = bytearray(content.getvalue())
    whole[144] = 0  # the class of the first matrix
    return bytes(whole)


DAMAGED = {
    "empty.npy": b"",
    "empty.npz": b"",
    "cut.npz": packed(np.savez)[:-30],
    "deflate.npz": damaged_deflate(),
    "renamed.npz": npy(),
    "large.npy": shaped(1 << 57),
    "endless.npy": shaped(1 << 80),
    "token.npy": headed("{'descr': (\n"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_arrays_are_told(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(DAMAGED[name])
    with pytest.raises(BadFile, match=name):
        read_events(tmp_path / name)


def test_a_damaged_mat_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(damaged_mat())
    with pytest.raises(BadFile, match=r"a\.mat"):
        read_events(tmp_path / "a.mat")


@pytest.mark.parametrize(("end", "module"), [("mat", "scipy.io"), ("aedat4", "aedat")])
def test_what_has_to_be_installed_is_told(
    end: str, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependency, match=r"spikec\[events\]") as error:
        read_events(tmp_path / f"a.{end}")
    assert f"a.{end}" in error.value.where


# ---- lists ---------------------------------------------------------------------------------------

REPEATED = [f"{name}/{i}.npz" for name in ("bird", "cat") for i in range(4)]


def write_lists(folder: Path, train: list[str], test: list[str]) -> None:
    (folder / "train.txt").write_text("\n".join(train))
    (folder / "test.txt").write_text("\n".join(test), "utf-8-sig")


@pytest.mark.parametrize("line", ["{}", "{} 1", "./{}", "/data/dvs/{}", "{}.avi"])
def test_lists_tell_classes_apart_where_names_repeat(line: str, tmp_path: Path) -> None:
    put(tmp_path, *REPEATED)
    names = [name.removesuffix(".npz") for name in REPEATED]
    tested = [names[0], names[5]]
    lines = [[line.format(n) for n in names if (n in tested) == one] for one in (False, True)]
    write_lists(tmp_path, *lines)
    samples = load(tmp_path)
    assert counts(samples.test) == [0, 5]
    assert samples.test[1].tolist() == [0, 1]
    assert sorted(counts(samples.train) + counts(samples.held)) == [1, 2, 3, 4, 6, 7]


def test_lists_name_outer_folders(tmp_path: Path) -> None:
    names = [f"{side}/{name}" for side in ("a", "b") for name in REPEATED]
    put(tmp_path / "dvs", *names)
    write_lists(tmp_path / "dvs", names[:8], [f"dvs/{name}" for name in names[8:]])
    samples = load(tmp_path / "dvs")
    assert counts(samples.test) == list(range(8, 16))
    assert sorted(counts(samples.train) + counts(samples.held)) == list(range(8))


def test_flat_recordings_are_named_with_their_folder(tmp_path: Path) -> None:
    names = [f"user{i}.npz" for i in range(5)]
    put(tmp_path / "dvs", *names)
    for i in range(4):
        (tmp_path / "dvs" / f"user{i}_labels.csv").write_text("class,start,end\n1,0,9\n2,9,19\n")
    write_lists(tmp_path / "dvs", [*names[:2], names[4]], ["dvs/user2.npz", "dvs/user3.npz"])
    assert load(tmp_path / "dvs", "dvs128-gesture").test[1].tolist() == [0, 1, 0, 1]
    write_lists(tmp_path / "dvs", names[:2], ["other/user2.npz"])
    with pytest.raises(DataError, match=r"'other/user2\.npz'"):
        load(tmp_path / "dvs", "dvs128-gesture")


def test_all_that_is_wrong_with_lists_is_told(tmp_path: Path) -> None:
    put(tmp_path, *REPEATED)
    unknown = [f"bird/{i}.npz" for i in range(10, 15)]
    write_lists(tmp_path, [*REPEATED[:7], *unknown], [*REPEATED[6:], "bird"])
    with pytest.raises(DataError) as error:
        load(tmp_path)
    train, test, both = error.value.problems
    assert train.what.endswith("'bird/10.npz', 'bird/11.npz', 'bird/12.npz', … (5 in all)")
    assert train.where.endswith("train.txt")
    assert test.what.endswith("no recording: 'bird'")
    assert test.where.endswith("test.txt")
    assert both.what.endswith(f"both lists: {Path(REPEATED[6])}")
    assert "take them away" in error.value.remedy


@pytest.mark.parametrize(("there", "other"), [("train", "test"), ("test", "train")])
def test_a_list_alone_is_refused(there: str, other: str, tmp_path: Path) -> None:
    put(tmp_path, *REPEATED)
    (tmp_path / f"{there}.txt").write_text("\n".join(REPEATED[:6]))
    with pytest.raises(DataError) as error:
        load(tmp_path)
    assert [p.what for p in error.value.problems] == [f"no list to {other}"]
    assert f"{other}list01.txt" in str(error.value)
    (tmp_path / f"{other}.txt").write_text("\n")
    with pytest.raises(DataError, match="a list without names") as error:
        load(tmp_path)
    assert error.value.problems[0].where.endswith(f"{other}.txt")


def test_a_list_that_is_no_text_is_told(tmp_path: Path) -> None:
    put(tmp_path, *REPEATED)
    write_lists(tmp_path, REPEATED[:6], [])
    (tmp_path / "test.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadFile, match=r"test\.txt"):
        load(tmp_path)


# ---- folders -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["train/0.npz", "train/1.npz", "test/2.npz"], "test/2.npz, train/0.npz, train/1.npz"),
        (["train/0.npz", "val/1.npz"], "train/0.npz, val/1.npz"),
        ([*REPEATED, "0.npz"], "class: 0.npz"),
        ([f"{i}.npz" for i in range(5)], "0.npz, 1.npz, 2.npz, … (5 in all)"),
        (["cat/0.npz", "cat/1.npz", "cat/2.npz"], "3 samples of 1 classes"),
    ],
)
def test_recordings_without_classes_are_refused(
    names: list[str], told: str, tmp_path: Path
) -> None:
    put(tmp_path, *names)
    with pytest.raises(DataError) as error:
        load(tmp_path)
    assert told in error.value.what.replace("\\", "/")
    assert error.value.remedy


@pytest.mark.parametrize("name", ["val", "Valid", "validation"])
def test_a_folder_val_chooses_the_epoch(name: str, tmp_path: Path) -> None:
    sides = ("train", name, "test")
    put(tmp_path, *(f"{side}/{c}/{i}.npz" for side in sides for c in ("a", "b") for i in (0, 1)))
    samples = load(tmp_path)
    parts = (samples.train, samples.held, samples.test)
    assert [counts(part) for part in parts] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


@pytest.mark.parametrize(
    ("sides", "told"),
    [
        (("train", "test", "extra"), ["extra: neither to learn from nor to test on"]),
        (("train", "val"), ["no folder test"]),
        (("val", "test", "b"), ["no folder train", "b: neither to learn from nor to test on"]),
    ],
)
def test_folders_that_would_be_left_out_are_told(
    sides: tuple[str, ...], told: list[str], tmp_path: Path
) -> None:
    put(tmp_path, *(f"{side}/{name}" for side in sides for name in REPEATED))
    with pytest.raises(DataError) as error:
        load(tmp_path)
    assert [p.what for p in error.value.problems] == told


def test_tables_may_be_empty_but_not_all(tmp_path: Path) -> None:
    put(tmp_path, *(f"user{i}.npz" for i in range(4)))
    (tmp_path / "user0_labels.csv").write_text("class,start,end\n\n")
    with pytest.raises(DataError, match=r"0 samples of 0 classes[^$]*_labels\.csv"):
        load(tmp_path, "dvs128-gesture")
    for i in (1, 2, 3):
        (tmp_path / f"user{i}_labels.csv").write_text("class,start,end\n1,0,9\n2,9,19\n")
    samples = load(tmp_path, "dvs128-gesture")
    assert [len(part[1]) for part in (samples.train, samples.held, samples.test)] == [2, 2, 2]


def test_a_file_that_is_called_by_no_number_has_the_class_of_its_folder(tmp_path: Path) -> None:
    put(tmp_path, *(f"{name}/{i}.npz" for name in ("a", "b") for i in "12²"))
    assert load(tmp_path, "dvs128-gesture").classes == 2


def test_ends_may_be_capitals(tmp_path: Path) -> None:
    from scipy.io import savemat

    put(tmp_path, *REPEATED)
    for path in sorted(tmp_path.rglob("*.npz")):
        path.rename(path.with_suffix(".NPZ"))
    savemat(tmp_path / "cat" / "9.MAT", drawn(COUNT + 9))
    samples = load(tmp_path)
    found = [n for part in (samples.train, samples.held, samples.test) for n in counts(part)]
    assert sorted(found) == [*range(8), 9]


def test_a_side_that_gives_no_frames_is_told_with_a_file(tmp_path: Path) -> None:
    put(tmp_path, *REPEATED)
    with pytest.raises(UsageError, match=r"size \[0, 0\][^$]*\.npz"):
        load(tmp_path, side=0)


def test_a_recording_of_odd_polarities_is_named(tmp_path: Path) -> None:
    put(tmp_path, *REPEATED)
    np.savez(tmp_path / "cat" / "2.npz", **drawn() | {"p": np.full(COUNT, 7)})
    with pytest.raises(SpikecError, match="polarities") as error:
        load(tmp_path)
    assert Path(error.value.where) == tmp_path / "cat" / "2.npz"
    assert error.value.expected == "0 and 1, or -1 and 1"
