"""Files that are damaged, hostile or too new end in one clear SpikecError."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, external_data_helper

from spikec.errors import (
    BadFile,
    ModelError,
    SpikecError,
    UnsupportedModel,
    UsageError,
    VerifyError,
)
from spikec.frontends.onnx_graph import import_model
from spikec.ir.verify import verify
from tests.frontends.onnx_graph.models import assert_same, model, node, numbers


def small() -> ModelProto:
    nodes = [node("Conv", "x w b", "h", "conv", pads=[1, 1, 1, 1]), node("Relu", "h", "y", "act")]
    return model(nodes, {"x": ("n", 3, 6, 6)}, {"w": numbers(4, 3, 3, 3), "b": numbers(4)})


def refuses(source: object, kind: type[SpikecError], what: str) -> SpikecError:
    with pytest.raises(kind, match=what) as caught:
        import_model(source)  # type: ignore[arg-type]
    return caught.value


def test_files_that_are_no_model(tmp_path: Path) -> None:
    empty, folder, absent = (tmp_path / name for name in ("empty.onnx", "folder.onnx", "none.onnx"))
    empty.touch()
    folder.mkdir()
    refuses(empty, BadFile, "the file is empty")
    refuses(folder, BadFile, "a folder is no model")
    refuses(absent, BadFile, "no such file")
    refuses(f"{absent}\0", BadFile, "cannot be read")
    refuses(b"", BadFile, "the file is empty")
    refuses(pickle.dumps({"weights": [1.0]}), BadFile, "this is a pickle")
    refuses(b"PK\x03\x04rest", BadFile, "zip archive")
    refuses(b"hello, I am no protobuf", BadFile, "truncated or damaged")
    refuses(ModelProto(), BadFile, "no complete ONNX model")
    refuses(3, UsageError, "cannot read an ONNX model from int")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "closed.onnx"
    path.write_bytes(small().SerializeToString())
    path.chmod(0)
    refuses(path, BadFile, "may not be read")


def test_permission_denied_by_the_system_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    path = tmp_path / "closed.onnx"
    path.touch()
    refuses(path, BadFile, "may not be read")


def test_every_truncation_is_refused() -> None:
    content = small().SerializeToString()
    for length in range(0, len(content) - 1, 7):
        with pytest.raises(SpikecError):
            import_model(content[:length])


def test_flipped_bits_end_in_a_graph_or_a_spikec_error() -> None:
    content = small().SerializeToString()
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(content)
        for position in random.integers(0, len(content), 2):
            damaged[position] ^= 1 << int(random.integers(8))
        try:
            verify(import_model(bytes(damaged)))
        except SpikecError:
            refused += 1
    assert refused > 30  # most flips only change a weight, which no reader can tell


def test_opsets_beyond_the_known_ones() -> None:
    newest = onnx.defs.onnx_opset_version()
    new, old, format_ = small(), small(), small()
    new.opset_import[0].version = newest + 1
    old.opset_import[0].version = 7
    format_.ir_version = onnx.IR_VERSION + 1
    error = refuses(new, UnsupportedModel, f"uses opset {newest + 1}")
    assert "update the package onnx" in error.remedy
    refuses(old, UnsupportedModel, "uses opset 7")
    refuses(format_, UnsupportedModel, "IR version")


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers(number: float) -> None:
    proto = small()
    weight = np.array(numbers(4, 3, 3, 3))
    weight[1, 2, 0, 0] = number
    proto.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weight, "w"))
    with pytest.raises(VerifyError, match="conv"):
        verify(import_model(proto))


def test_weights_that_do_not_fill_their_shape() -> None:
    short, negative, twisted = small(), small(), small()
    short.graph.initializer[0].raw_data = short.graph.initializer[0].raw_data[:-4]
    negative.graph.initializer[0].dims[0] = -4
    twisted.graph.initializer[0].dims[0] = 2
    twisted.graph.initializer[0].dims[1] = 6
    refuses(short, BadFile, "do not fill")
    refuses(negative, BadFile, "negative")
    refuses(twisted, UnsupportedModel, "Conv")


def test_nodes_that_contradict_themselves() -> None:
    wrong = node("Conv", "x w", "y", "bad", kernel_shape=[5, 5])
    proto = model([wrong], {"x": ("n", 3, 6, 6)}, {"w": numbers(4, 3, 3, 3)})
    refuses(proto, UnsupportedModel, "kernel_shape")
    unknown = model([node("Relu", "nothing", "y")], {"x": ("n", 3)})
    refuses(unknown, BadFile, "nothing")
    misspelt = model([node("Conv", "x w", "y", stride=[2, 2])], {"x": ("n", 3, 6, 6)},
                     {"w": numbers(4, 3, 3, 3)})  # fmt: skip
    refuses(misspelt, BadFile, "stride")


def test_a_constant_of_absurd_size_is_refused_before_it_is_made() -> None:
    nodes = [node("ConstantOfShape", "shape", "c", "huge"), node("Add", "x c", "y")]
    proto = model(nodes, {"x": ("n", 3)}, {"shape": np.array([1 << 40, 1 << 10])})
    error = refuses(proto, UnsupportedModel, "elements")
    assert error.problems[0].where == "ONNX node huge"


def test_inputs_that_are_no_tensors_of_numbers() -> None:
    kinds = dict.fromkeys("xy", TensorProto.STRING)
    text = model([node("Identity", "x", "y")], {"x": ("n",)}, kinds=kinds)
    error = refuses(text, ModelError, "inputs cannot be taken")
    assert "STRING" in error.problems[0].what


# external data


def external(folder: Path, location: str, **entries: Any) -> Path:
    proto = small()
    weight = proto.graph.initializer[0]
    external_data_helper.set_external_data(weight, location, **entries)
    weight.ClearField("raw_data")
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def test_external_data_beside_the_model_is_read(tmp_path: Path) -> None:
    data = small().graph.initializer[0].raw_data
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "weights.bin").write_bytes(b"12345678" + data)
    path = external(tmp_path, "sub/weights.bin", offset=8, length=len(data))
    graph = import_model(path)
    assert graph.name == "model"
    assert_same(small(), {"x": numbers(2, 3, 6, 6)}, graph)
    assert_same(small(), {"x": numbers(2, 3, 6, 6)}, import_model(str(path)))


@pytest.mark.parametrize(
    "location",
    ["../secret.bin", "sub/../../secret.bin", "/etc/hostname", "C:\\secret.bin", "", "."],
)
def test_external_data_outside_of_the_folder_is_refused(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(b"0" * 432)
    error = refuses(external(folder, location), BadFile, "external data of 1 tensors")
    assert error.problems[0].what.startswith("w: ")


def test_external_data_behind_a_link_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(b"0" * 432)
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    (folder / "sub").symlink_to(tmp_path)
    for location in ("link.bin", "sub/secret.bin"):
        refuses(external(folder, location), BadFile, "through a link")


def test_external_data_that_is_absent_short_or_of_another_size(tmp_path: Path) -> None:
    (tmp_path / "short.bin").write_bytes(b"0" * 100)
    refuses(external(tmp_path, "none.bin"), BadFile, "no file 'none.bin'")
    refuses(external(tmp_path, "short.bin"), BadFile, "ends before byte 432")
    refuses(external(tmp_path, "short.bin", length=100), BadFile, "need 432")
    refuses(external(tmp_path, "short.bin", offset=1 << 40), BadFile, "ends before")


def test_external_data_of_a_model_without_a_folder(tmp_path: Path) -> None:
    content = external(tmp_path, "weights.bin").read_bytes()
    error = refuses(content, BadFile, "external data")
    assert error.problems[0].remedy == "give the file's path"


def test_the_callers_model_stays_as_it_was() -> None:
    proto = small()
    before = proto.SerializeToString()
    import_model(proto)
    assert proto.SerializeToString() == before
