"""Samples are read from whatever holds them; what is wrong with them is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from spikec.data import Data, Preprocess, checked_labels, read_data
from spikec.errors import SpikecError

X = np.arange(24, dtype=np.float32).reshape(6, 4)
Y = np.array([0, 1, 2, 0, 1, 2])


def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    yield X[:4], Y[:4]
    yield X[4:], Y[4:]


TENSORS = torch.from_numpy(X), torch.from_numpy(Y)
LABELLED: dict[str, Any] = {
    "arrays": (X, Y),
    "tensors": TENSORS,
    "a tensor with gradient": (torch.from_numpy(X).requires_grad_(), Y),
    "a dict": {"x": X, "y": Y},
    "batches": batches,
    "a list of pairs": [(X[:1], Y[:1]), (X[1:], Y[1:])],
    "dicts": [{"x": X[:3], "y": Y[:3]}, {"x": X[3:], "y": Y[3:]}],
    "DataLoader": DataLoader(TensorDataset(*TENSORS), batch_size=4),
    "Data": Data({"x": X}, Y),
}


@pytest.mark.parametrize("form", LABELLED)
def test_every_form_with_labels(form: str) -> None:
    source = LABELLED[form]
    data = read_data(source() if callable(source) else source)
    assert np.array_equal(data.inputs["x"], X)
    assert data.labels is not None
    assert np.array_equal(data.labels, Y)
    assert len(data) == 6


@pytest.mark.parametrize(
    "source",
    [X, torch.from_numpy(X), {"x": X}, [X[:2], X[2:]], DataLoader(TensorDataset(TENSORS[0]))],
    ids=["array", "tensor", "dict", "batches", "DataLoader"],
)
def test_every_form_without_labels(source: object) -> None:
    data = read_data(source)
    assert np.array_equal(data.inputs["x"], X)
    assert data.labels is None


def test_files_with_and_without_prefix(tmp_path: Path) -> None:
    np.savez(tmp_path / "plain.npz", x=X, y=Y, extra=Y)
    np.savez(tmp_path / "split.npz", test_x=X, test_y=Y, train_x=X[:2])
    np.savez_compressed(tmp_path / "two.npz", left=X, right=X + 1)
    for source in (tmp_path / "plain.npz", f"{tmp_path}/split.npz:test"):
        data = read_data(source)
        assert list(data.inputs) == ["x"]
        assert np.array_equal(data.inputs["x"], X)
        assert data.labels is not None
        assert data.labels is not None
        assert np.array_equal(data.labels, Y)
    train = read_data(f"{tmp_path}/split.npz:train")
    assert (len(train), train.labels) == (2, None)
    assert list(read_data(tmp_path / "two.npz").inputs) == ["left", "right"]


def files(folder: Path) -> None:
    np.savez(folder / "split.npz", test_x=X, train_x=X)
    np.savez(folder / "objects.npz", x=np.array([{}, None]))
    np.save(folder / "bare.npy", X)
    (folder / "bare.npy").rename(folder / "bare.npz")
    (folder / "empty.npz").touch()
    (folder / "noise.npz").write_bytes(bytes(range(256)))
    np.savez(folder / "cut.npz", x=X)
    (folder / "cut.npz").write_bytes((folder / "cut.npz").read_bytes()[:200])
    np.savez(folder / "nothing.npz")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("absent.npz", "absent.npz"),
        ("split.npz", "try .*split.npz:test or .*split.npz:train"),
        ("split.npz:tset", "no array tset_x"),
        ("objects.npz", "objects.npz"),
        ("bare.npz", "bare.npz"),
        ("empty.npz", "empty.npz"),
        ("noise.npz", "noise.npz"),
        ("cut.npz", "cut.npz"),
        ("nothing.npz", "no array x"),
        ("x.csv", "is no .npz file"),
        (".", "is no .npz file"),
    ],
)
def test_bad_files(tmp_path: Path, name: str, told: str) -> None:
    files(tmp_path)
    with pytest.raises(SpikecError, match=told):
        read_data(f"{tmp_path}/{name}")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (3, "int holds no data"),
        (None, "NoneType holds no data"),
        ([1, 2], "int holds no data"),
        ([], "the data are empty"),
        ({}, "the data are empty"),
        ({"y": Y}, "the data are empty"),
        (np.float32(1), "the data are empty"),
        (X[:0], "the data are empty"),
        ((X, Y[:3]), r"arrays of different length \(x: 6, y: 3\)"),
        ([X, Y], "batches do not fit together"),
        ([(X, Y), X], "some batches have labels"),
        ([{"a": X}, {"b": X}], "batches with different arrays"),
        ([[X, Y, X]], "a batch of 3 parts"),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, str) else "",
)
def test_bad_objects(source: object, told: str) -> None:
    with pytest.raises(SpikecError, match=told):
        read_data(source)


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (None, "no labels"),
        (Y + 1, "labels from 1 to 3"),
        (Y - 1, "labels from -1 to 1"),
        (Y + 0.5, "labels float64"),
        (np.full(6, np.nan), "labels float64"),
        (np.eye(6), r"labels float64\[6, 6\]"),
        (np.array(list("catdog")), "labels <U1"),
        (np.array([None] * 6), "labels object"),
        (Y > 0, "labels bool"),
    ],
)
def test_bad_labels(labels: np.ndarray | None, told: str) -> None:
    with pytest.raises(SpikecError, match=told):
        checked_labels(Data({"x": X}, labels), 3)


def test_whole_floats_are_labels() -> None:
    labels = checked_labels(Data({"x": X}, Y.astype(np.float32)), 3)
    assert labels.dtype == np.int64
    assert np.array_equal(labels, Y)


def test_inputs_by_name_and_their_order() -> None:
    data = Data({"a": X, "b": Y})
    assert list(data.named(["b", "a"])) == ["b", "a"]
    assert np.array_equal(Data({"x": X}).named(["image"])["image"], X)
    with pytest.raises(SpikecError, match="one array for each input: a, c"):
        data.named(["a", "c"])


def test_preprocessing_is_the_formula_and_round_trips() -> None:
    settings = Preprocess(1 / 255, (0.5, 0.25), (0.2, 0.1))
    x = np.random.default_rng(0).integers(0, 256, (3, 2, 4, 4)).astype(np.uint8)
    mean, std = np.array([0.5, 0.25])[:, None, None], np.array([0.2, 0.1])[:, None, None]
    assert np.abs(settings(x) - (x / 255 - mean) / std).max() < 1e-5
    assert settings(x).dtype == np.float32
    assert Preprocess.from_json(settings.to_json()) == settings
    assert np.array_equal(Preprocess(2.0)(X), 2 * X)
    assert Preprocess()(x) is x


@pytest.mark.parametrize(
    "options",
    [{"std": (0.0,)}, {"scale": 0.0}, {"scale": float("nan")}, {"mean": (float("inf"),)}],
)
def test_preprocessing_that_destroys_data_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(SpikecError, match="preprocessing"):
        Preprocess(**options)


def test_preprocessing_must_fit_the_channels() -> None:
    with pytest.raises(SpikecError, match="3 numbers for mean or std"):
        Preprocess(mean=(0.1, 0.2, 0.3))(X)
    with pytest.raises(SpikecError, match="elements are <U1"):
        Preprocess(scale=2.0)(np.array(["a", "b"]))


def test_an_example_is_float32_but_for_indices() -> None:
    for dtype, wanted in (("float64", "float32"), ("uint8", "float32"), ("int64", "int64")):
        (example,) = Data({"x": X.astype(dtype)}).example(Preprocess())
        assert example.shape == (2, 4)
        assert str(example.dtype) == wanted
