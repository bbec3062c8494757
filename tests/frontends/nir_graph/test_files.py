"""Files: of any version of nir, damaged or hostile; what cannot be read is a SpikecError."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

import spikec
from spikec.errors import BadFile, SpikecError, UnsupportedModel
from spikec.frontends.nir_graph.fields import REQUIRED
from spikec.frontends.nir_graph.importer import RULES
from spikec.ir.ops import IntegrateFire, Reset
from tests.frontends.nir_graph.nets import (
    SIZE,
    chain,
    currents,
    imported,
    outputs,
    uniform,
    written,
)

W = uniform(0, SIZE, SIZE, low=-1)
ONE = np.ones(SIZE, np.float32)
TEXT = h5py.string_dtype()


def small(**metadata: Any) -> Any:
    return chain(nir.Affine(W, ONE), nir.IF(ONE, ONE, metadata=metadata))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(small(), tmp_path)


def test_a_file_gives_what_the_object_gives(tmp_path: Path) -> None:
    source = small(reset="subtract", v_init=ONE / 2)
    path, x = written(source, tmp_path), currents()
    expected = outputs(imported(source), x)
    for found in (imported(path), imported(str(path)), imported(nir.read(path))):
        np.testing.assert_array_equal(outputs(found, x), expected)
    assert (expected != outputs(imported(small()), x)).any()


def test_the_public_import_takes_both(file: Path) -> None:
    x = currents()
    by_file, by_object = spikec.import_model(file), spikec.import_model(nir.read(file))
    np.testing.assert_array_equal(outputs(by_file, x), outputs(by_object, x))
    assert (by_file.name, by_object.name) == ("net", "nir")
    assert by_file.notes["nir"] == nir.version


@pytest.mark.parametrize(("version", "reset"), [("1.0.5", Reset.SOFT), ("1.0.6", Reset.HARD)])
def test_the_version_says_what_a_reset_is(file: Path, version: str, reset: Reset) -> None:
    with h5py.File(file, "a") as stored:
        del stored["version"]
        stored.create_dataset("version", data=version, dtype=TEXT)
    (op,) = (n.op for n in imported(file) if isinstance(n.op, IntegrateFire))
    assert op.reset is reset


def test_an_absent_reset_potential_is_0(file: Path) -> None:
    x = currents()
    expected = outputs(imported(file), x)
    with h5py.File(file, "a") as stored:
        del stored["node/nodes/n1/v_reset"]
    np.testing.assert_array_equal(outputs(imported(file), x), expected)


def test_a_file_without_version_is_of_today(file: Path) -> None:
    with h5py.File(file, "a") as stored:
        del stored["version"]
    assert imported(file).notes["nir"] == "unknown"


def test_every_truncation_is_refused(file: Path, tmp_path: Path) -> None:
    content = file.read_bytes()
    short = tmp_path / "short.nir"
    for length in range(0, len(content) - 1, 997):
        short.write_bytes(content[:length])
        with pytest.raises(BadFile):
            imported(short)


def test_flipped_bytes_are_read_or_refused(file: Path) -> None:
    content = file.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(content), 60):
        broken = bytearray(content)
        broken[place] ^= 0xFF
        file.write_bytes(bytes(broken))
        try:
            imported(file)
        except SpikecError:
            continue


def test_what_is_no_file_of_nir(tmp_path: Path) -> None:
    for name, content in {"empty": b"", "text": b"hello", "zip": b"PK\x03\x04"}.items():
        path = tmp_path / f"{name}.nir"
        path.write_bytes(content)
        with pytest.raises(BadFile, match="HDF5"):
            imported(path)
    for path in (tmp_path, tmp_path / "none.nir"):
        with pytest.raises(BadFile):
            imported(path)


def _remove(name: str) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file[name]

    return change


def _link(file: Any) -> None:
    del file["node/nodes/n0/weight"]
    file["node/nodes/n0/weight"] = h5py.ExternalLink("/etc/hostname", "/")


def _soft_link(file: Any) -> None:
    del file["node/nodes/n0/weight"]
    file["node/nodes/n0/weight"] = h5py.SoftLink("/node/nodes/n0/bias")


def _loop(file: Any) -> None:
    file["node/nodes/again"] = file["node"]


def _huge(file: Any) -> None:
    del file["node/nodes/n0/weight"]
    options = {"chunks": (1, 2**20), "fillvalue": 0.0}
    file.create_dataset("node/nodes/n0/weight", (2**20, 2**20), "f4", **options)


def _group(file: Any) -> None:
    del file["node/nodes/n0/weight"]
    file.create_group("node/nodes/n0/weight")


def _objects(file: Any) -> None:
    del file["node/nodes/n0/weight"]
    file.create_dataset("node/nodes/n0/weight", (2,), h5py.ref_dtype)


def _edges(file: Any) -> None:
    del file["node/edges"]
    file.create_dataset("node/edges", data=np.ones((3, 2)))


def _kind(file: Any) -> None:
    del file["node/type"]
    file.create_dataset("node/type", data="IF", dtype=TEXT)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_remove("node"), "'node' is missing"),
        (_remove("node/type"), "'type' is missing"),
        (_remove("node/nodes"), "'nodes' is missing"),
        (_remove("node/edges"), "'edges' is missing"),
        (_remove("node/nodes/n1/type"), "'type' is missing"),
        (_kind, "a IF at the top"),
        (_edges, "edges that are no pairs"),
        (_link, "a link to another place"),
        (_soft_link, "a link to another place"),
        (_loop, "nested more than"),
        (_huge, "bytes"),
        (_group, "'weight' is a group"),
        (_objects, "elements of type"),
    ],
)
def test_a_damaged_file_is_refused(file: Path, change: Callable[[Any], None], told: str) -> None:
    with h5py.File(file, "a") as stored:
        change(stored)
    with pytest.raises(BadFile, match=told) as caught:
        imported(file)
    assert str(file) in caught.value.where


def test_missing_fields_are_listed_together(file: Path) -> None:
    with h5py.File(file, "a") as stored:
        del stored["node/nodes/n0/weight"]
        del stored["node/nodes/input/shape"]
        del stored["node/nodes/n1/v_threshold"]
        stored["node/nodes/n1/r"][...] = np.nan
    with pytest.raises(UnsupportedModel) as caught:
        imported(file)
    assert {(p.where, p.what) for p in caught.value.problems} == {
        ("NIR node input", "Input: its field 'shape' is missing"),
        ("NIR node n0", "Affine: its field 'weight' is missing"),
        ("NIR node n1", "IF: its field 'v_threshold' is missing"),
        ("NIR node n1", "IF: 'r' holds NaN or Inf"),
    }


def test_every_class_of_nir_is_known() -> None:
    kinds = {
        name
        for name, found in vars(nir).items()
        if isinstance(found, type) and issubclass(found, nir.NIRNode)
    }
    assert set(RULES) == set(REQUIRED)
    assert kinds - {"NIRNode", "NIRGraph"} == set(RULES)


def test_what_others_nest_in_metadata_is_theirs(file: Path) -> None:
    with h5py.File(file, "a") as stored:
        group = stored.create_group("node/nodes/n1/metadata")
        group.create_dataset("reset", data="subtract", dtype=TEXT)
        group.create_group("tool").create_dataset("seed", data=3)
        group.create_dataset("tags", data=["a", "b"], dtype=TEXT)
    (op,) = (n.op for n in imported(file) if isinstance(n.op, IntegrateFire))
    assert op.reset is Reset.SOFT
