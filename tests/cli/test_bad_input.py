"""What is wrong with the input is told alike in Python and on the command line; no file is left."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikec as package
from spikec.errors import BadFile, DataError, SpikecError, UnsupportedModel, UsageError
from spikec.ir import Graph, ops, store
from tests.cli.conftest import Answer, Spikec
from tests.interrupts import interruptible
from tests.passes.helpers import Net, mlp

X = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
Y = np.arange(12) % 3
RGB = package.Preprocess(1 / 255, (0.4, 0.5, 0.6, 0.7), (0.2, 0.3, 0.2, 0.3))
FLAGS = ["--scale", "1/255", "--mean", ".4,.5,.6,.7", "--std", ".2,.3,.2,.3"]
CONVERT = ["convert", "net.spk", "--data", "data.npz", "--steps", "4", "--recipe", "graded"]
OUT = ["-o", "out.spk"]


def changed(value: float) -> np.ndarray:
    x = X.copy()
    x[3, 1] = value
    return x


@pytest.fixture(autouse=True)
def files(models: Path) -> None:
    store.save(mlp(4, 6, 3), models / "net.spk")
    np.savez(models / "data.npz", x=X, y=Y)
    package.convert(mlp(4, 6, 3), X, 4, "graded").save(models / "made.spk")


def assert_alike(answer: Answer, call: Callable[[], object], kind: type[SpikecError]) -> str:
    """Both ways give one and the same block."""
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"error: {caught.value}\n"
    assert "expected: " in answer.err or "remedy:   " in answer.err
    return answer.err


def listing(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if "__pycache__" not in str(path)]


SAMPLES: dict[str, tuple[np.ndarray, str]] = {
    "NaN": (changed(np.nan), "1 of 48 numbers are NaN or infinite, the first at [3, 1]"),
    "infinite": (changed(np.inf), "1 of 48 numbers are NaN or infinite, the first at [3, 1]"),
    "-infinite": (changed(-np.inf), "1 of 48 numbers are NaN or infinite"),
    "all NaN": (np.full((2, 4), np.nan), "8 of 8 numbers are NaN"),
    "beyond float32": (X.astype(np.float64) * 1e300, "numbers overflow float32"),
    "too few features": (X[:, :3], "size 3"),
    "too few axes": (X[:, 0], "shape [12] has 1 axes"),
    "too many axes": (X[:, :, None], "has 3 axes"),
    "no features": (X[:, :0], "size 0"),
    "complex": (X.astype(complex), "elements are complex128, not numbers"),
    "words": (X.astype("U8"), "elements are <U8, not numbers"),
    "dates": (X.astype("M8[s]"), "elements are datetime64[s], not numbers"),
    "empty": (X[:0], "the data are empty"),
    "black": (np.zeros_like(X), "hold one number only"),
    "constant": (np.full_like(X, 0.5), "hold one number only"),
    "one black image": (np.zeros((1, 4), np.float32), "hold one number only"),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_calibration_data(spikec: Spikec, models: Path, name: str) -> None:
    x, told = SAMPLES[name]
    np.savez(models / "bad.npz", x=x)
    before = listing(models)
    answer = spikec(*CONVERT, "--data", "bad.npz", *OUT)
    kind = DataError
    assert told in assert_alike(answer, lambda: convert(models / "bad.npz"), kind)
    assert told in assert_alike(answer, lambda: convert(x), kind)
    assert listing(models) == before


def convert(data: object, **options: Any) -> package.Program:
    call: dict[str, Any] = {"steps": 4, "recipe": "graded", **options}
    return package.convert(mlp(4, 6, 3), data, **call)


def test_black_is_black_in_preprocessed_channels_too(spikec: Spikec, models: Path) -> None:
    x = np.zeros((5, 4), np.uint8)
    np.savez(models / "black.npz", x=x)
    answer = spikec(*CONVERT, "--data", "black.npz", *FLAGS, *OUT)
    told = assert_alike(answer, lambda: convert(x, preprocess=RGB), DataError)
    assert "hold one number only" in told


def test_pickles_are_not_read(spikec: Spikec, models: Path) -> None:
    np.savez(models / "bad.npz", x=np.array([{}, None]))
    answer = spikec(*CONVERT, "--data", "bad.npz", *OUT)
    assert (answer.code, answer.out) == (2, "")
    assert "cannot read data" in answer.err
    with pytest.raises(BadFile, match="cannot read data"):
        convert(models / "bad.npz")
    with pytest.raises(DataError, match="elements are object, not numbers"):
        convert(np.array([[1, None, 2, 3]] * 4))


@pytest.mark.parametrize("recipe", package.recipes())
def test_one_image_is_enough(spikec: Spikec, models: Path, recipe: str) -> None:
    np.savez(models / "one.npz", x=X[:1])
    answer = spikec(*CONVERT, "--data", "one.npz", "--recipe", recipe, *OUT)
    assert answer.code == 0, answer.err
    program = convert(X[:1], recipe=recipe)
    assert package.load(models / "out.spk").graph == program.graph
    assert np.isfinite(program.run(X).output).all()


LABELS: dict[str, tuple[np.ndarray | None, str]] = {
    "missing": (None, "the data have no labels"),
    "too large": (Y + 1, "labels from 1 to 3"),
    "negative": (Y - 1, "labels from -1 to 1"),
    "huge": (np.full(12, 2**64 - 1, np.uint64), "labels from 18446744073709551615"),
    "fractions": (Y + 0.5, "labels float64[12]"),
    "NaN": (np.full(12, np.nan), "labels float64[12]"),
    "infinite": (np.full(12, np.inf), "labels from inf to inf"),
    "words": (Y.astype("U1"), "labels <U1[12]"),
    "truths": (Y > 0, "labels bool[12]"),
    "one-hot": (np.eye(3)[Y], "labels float64[12, 3]"),
    "too few": (Y[:5], "arrays of different length (x: 12, y: 5)"),
    "a single one": (np.array(1), "arrays of different length (x: 12, y: 0)"),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels(spikec: Spikec, models: Path, name: str) -> None:
    labels, told = LABELS[name]
    data = {"x": X} if labels is None else {"x": X, "y": labels}
    np.savez(models / "bad.npz", **data)
    answer = spikec("eval", "made.spk", "--data", "bad.npz")
    program = package.load(models / "made.spk")
    assert told in assert_alike(answer, lambda: program.evaluate(data), DataError)


RECIPES = {
    "garded": "did you mean graded?",
    "GRADED": "did you mean graded?",
    "losless": "did you mean lossless?",
    "rate{sampels=3}": "did you mean samples?",
    "balanced{delay=ture}": "did you mean true?",
    "rate{samples=few}": "expected: a whole number",
    "rate{samples=2.5}": "expected: a whole number",
    "percentile{p=high}": "expected: a number",
    "percentile{per=chanel}": "did you mean channel?",
    "percentile{rule=precentile}": "did you mean percentile?",
    "balanced{reset=sfot}": "did you mean soft?",
    "percentile{p=nan}": "expected: 0 to 100",
    "graded{n=0}": "graded.n = 0",
    "graded{n=100000000}": "graded.n = 100000000",
    "graded{n=4,n=5}": "graded.n is given twice",
    "graded{n}": "expected: option=value",
    "graded{n=4": "cannot read 'graded{n=4'",
    "rate,graded": "expected: one recipe",
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes(spikec: Spikec, models: Path, recipe: str) -> None:
    before = listing(models)
    answer = spikec(*CONVERT, "--recipe", recipe, *OUT)
    told = assert_alike(answer, lambda: convert(X, recipe=recipe), UsageError)
    assert RECIPES[recipe] in told
    assert listing(models) == before


@pytest.mark.parametrize("steps", [0, -1, 100_001, 10**30])
def test_steps(spikec: Spikec, models: Path, steps: int) -> None:
    before = listing(models)
    answer = spikec(*CONVERT, "--steps", str(steps), *OUT)
    told = assert_alike(answer, lambda: convert(X, steps=steps), UsageError)
    assert f"steps = {steps}\n  expected: a whole number from 1 to 100000" in told
    assert listing(models) == before
    program = package.load(models / "made.spk")
    for flags in ([], ["--diagnose"]):
        answer = spikec("eval", "made.spk", "--data", "data.npz", "--steps", str(steps), *flags)
        assert_alike(answer, lambda: program.evaluate((X, Y), steps), UsageError)
    with pytest.raises(UsageError, match="steps = "):
        program.diagnose(X, steps)


@pytest.mark.parametrize("steps", [True, False, 2.0, 2.5, "8", None, [4], np.array([4]), np.True_])
def test_steps_that_are_no_whole_number(steps: Any) -> None:
    with pytest.raises(UsageError, match="a whole number from 1 to 100000"):
        convert(X, steps=steps)


@pytest.mark.parametrize("steps", ["2.5", "true", "eight", "1e3", ""])
def test_steps_that_are_no_whole_number_on_the_command_line(spikec: Spikec, steps: str) -> None:
    answer = spikec(*CONVERT, "--steps", steps, *OUT)
    assert answer.code == 2
    assert "should be a valid integer" in answer.err or "is not a valid int" in answer.err
    assert "--steps" in answer.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"recipe": None}, "recipe None"),
        ({"recipe": 5}, "recipe 5"),
        ({"recipe": b"rate"}, "recipe b'rate'"),
        ({"seed": -1}, "seed = -1"),
        ({"seed": 2**32}, "seed = 4294967296"),
        ({"seed": 1.5}, "seed = 1.5"),
        ({"seed": True}, "seed = True"),
        ({"weight_bits": 0}, "bits = 0"),
        ({"input_bits": 1}, "bits = 1"),
        ({"weight_options": "per=layer"}, "no number of bits"),
        ({"weight_bits": 8, "weight_options": "per=row"}, "channel or layer"),
        ({"weight_bits": 8, "weight_options": "sing=signed"}, "did you mean sign"),
        ({"weight_bits": 2.5}, "a whole number"),
    ],
)
def test_options_of_the_wrong_kind(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        convert(X, **options)
    assert told in str(caught.value)


@pytest.mark.parametrize("memory", ["1GB", 1e6, True])
def test_memory_of_the_wrong_kind(models: Path, memory: Any) -> None:
    program = package.load(models / "made.spk")
    for measure in (program.evaluate, program.diagnose):
        with pytest.raises(UsageError, match="memory = "):
            measure((X, Y), memory=memory)


def unsupported() -> Graph:
    net = Net(4)
    x = net.x
    for op in (ops.GELU(), ops.SiLU(), ops.Tanh()):
        x = net.edit.add(op, net.linear(x, 4))
    return net.done(net.linear(x, 3))


def test_all_unsupported_operators_are_named_at_once(spikec: Spikec, models: Path) -> None:
    store.save(unsupported(), models / "smooth.spk")
    before = listing(models)
    answer = spikec("convert", "smooth.spk", *CONVERT[2:], *OUT)
    assert answer.code == 2
    with pytest.raises(UnsupportedModel) as caught:
        package.convert(unsupported(), X, 4, "graded")
    assert len(caught.value.problems) == 3
    assert f"error: {caught.value}\n" == answer.err
    assert all(name in answer.err for name in ("GELU", "SiLU", "Tanh"))
    assert listing(models) == before


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("place", ["spikec.calibrate.sweep.trace", "spikec.ir.atomic.os.replace"])
def test_an_interrupt_leaves_no_file_and_no_part_of_one(
    spikec: Spikec, models: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    old, before = (models / "made.spk").read_bytes(), listing(models)
    monkeypatch.setattr(place, interrupt)
    answer = spikec(*CONVERT, "--quiet", *OUT)
    assert (answer.code, answer.out, answer.err) == (130, "", "interrupted\n")
    assert spikec(*CONVERT, "-o", "made.spk").code == 130
    with pytest.raises(KeyboardInterrupt):
        convert(X).save(models / "made.spk")
    assert listing(models) == before
    assert (models / "made.spk").read_bytes() == old


def test_a_real_interrupt_of_a_process_leaves_no_file(models: Path) -> None:
    store.save(mlp(256, 256, 256, 256, 10), models / "wide.spk")
    np.savez(models / "many.npz", x=np.random.default_rng(0).normal(size=(4000, 256)))
    before = listing(models)
    arguments = ["wide.spk", "--data", "many.npz", "-T", "64", "--recipe", "rate", *OUT]
    command = [sys.executable, "-u", "-m", "spikec", "convert", *arguments]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(interruptible(command), cwd=models, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("fold-constants ")  # the work has begun
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (130, "interrupted\n")
    assert listing(models) == before


@pytest.mark.parametrize("out", ["folder.spk", "absent/out.spk", "data.npz/out.spk"])
def test_places_that_cannot_be_written(spikec: Spikec, models: Path, out: str) -> None:
    (models / "folder.spk").mkdir()
    before = listing(models)
    answer = spikec(*CONVERT, "-o", out)
    assert (answer.code, answer.out) == (2, "")  # told before any work is done
    assert answer.err.startswith("error: --out: ")
    with pytest.raises(BadFile, match="folder"):
        convert(X).save(models / out)
    assert listing(models) == before


def test_a_locked_folder_is_told_before_any_work(
    spikec: Spikec, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the superuser, who may run this, may write everywhere: so the answer of the system is set
    monkeypatch.setattr("spikec.cli.files.os.access", lambda *_: False)
    answer = spikec(*CONVERT, *OUT)
    assert (answer.code, answer.out) == (2, "")
    assert "--out: no permission to write there" in answer.err


@pytest.mark.parametrize(
    ("number", "told"),
    [(errno.ENOSPC, "check the space that is left"), (errno.EACCES, "no permission to write here")],
)
def test_a_disk_that_fails_leaves_no_part_of_a_file(
    spikec: Spikec, models: Path, monkeypatch: pytest.MonkeyPatch, number: int, told: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    before = listing(models)
    monkeypatch.setattr("spikec.ir.atomic.os.fsync", fail)
    answer = spikec(*CONVERT, *OUT)
    assert answer.code == 2
    assert told in answer.err
    assert "Traceback" not in answer.err
    with pytest.raises(BadFile, match=told):
        convert(X).save(models / "out.spk")
    assert listing(models) == before
