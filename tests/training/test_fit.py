"""Training of modules: it learns, repeats itself, goes on after a kill, refuses what it must."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

import spikec
from spikec.errors import BadFile, DataError, UsageError
from spikec.nn import IF, LIF, Accumulator, Direct, Stepwise, TdBatchNorm, TimeDropout
from spikec.training.finetune import split
from spikec.training.options import FitOptions
from tests.training.test_finetune import TEST, TRAIN, X, Y

QUICK: dict[str, Any] = {"epochs": 3, "batch": 64, "rate": 5e-3}


def analog() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10))


def spiking() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        *(Direct(4), Stepwise(nn.Linear(64, 32)), TdBatchNorm(32), LIF(leak=0.9)),
        *(TimeDropout(0.1), Stepwise(nn.Linear(32, 10)), Accumulator()),
    )


class Averaging(nn.Module):
    """Puts new tensors in the places of its buffers, one of them of another shape and kind."""

    ema: Tensor
    last: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(64, 10)
        self.register_buffer("ema", torch.zeros(64))
        self.register_buffer("last", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        self.last = x.mean(1)
        if self.training:
            self.ema = 0.9 * self.ema + 0.1 * x.mean(0)
        return cast(Tensor, self.head(x - self.ema))


def averaging() -> nn.Module:
    torch.manual_seed(0)
    return Averaging()


def accuracy(model: nn.Module) -> float:
    with torch.no_grad():
        scores = model(torch.from_numpy(X[TEST]))
    scores = scores[-1] if scores.dim() == 3 else scores
    return float((scores.argmax(-1).numpy() == Y[TEST]).mean())


@pytest.mark.parametrize("make", [analog, spiking])
@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_modules_learn(make: Any, optimiser: str) -> None:
    model = make()
    rate = 5e-3 if optimiser == "adam" else 5e-2
    history = spikec.fit(
        model, (X[TRAIN], Y[TRAIN]), **{**QUICK, "epochs": 8, "rate": rate}, optimiser=optimiser
    )
    assert accuracy(model) > 0.85
    assert not model.training
    assert [record["epoch"] for record in history] == list(range(9))
    best = max(record["validation"] for record in history)
    assert best > 0.85


@pytest.mark.parametrize("kind", [np.float64, np.uint8])
def test_numbers_of_other_kinds_are_read(kind: type) -> None:
    scaled = nn.Sequential(nn.Linear(64, 10))
    history = spikec.fit(scaled, ((16 * X).astype(kind), Y), epochs=3, rate=1e-2)
    assert history[-1]["validation"] > 0.8


def weights(model: nn.Module) -> list[Tensor]:
    return [x.clone() for x in model.state_dict().values()]


class StopError(Exception):
    """What a kill is to the loop."""


@pytest.mark.parametrize("make", [analog, spiking, averaging])
@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_a_training_goes_on_to_the_same_weights(make: Any, optimiser: str, tmp_path: Path) -> None:
    data = X[TRAIN], Y[TRAIN]
    options = {**QUICK, "optimiser": optimiser}
    straight = make()
    spikec.fit(straight, data, **options)

    def stop(done: int, total: int) -> None:
        if done == total // 2:
            raise StopError

    broken, path = make(), tmp_path / "standing"
    with pytest.raises(StopError):
        spikec.fit(broken, data, **options, checkpoint=path, every=2, progress=stop)
    resumed = make()
    spikec.fit(resumed, data, **options, checkpoint=path, every=2, resume=True)
    for ours, theirs in zip(weights(resumed), weights(straight), strict=True):
        assert torch.equal(ours, theirs)


def test_buffers_end_in_the_best_epoch_too() -> None:
    """The untouched module is the best one by the answers that it gives itself."""
    model, fresh = averaging(), averaging().eval()
    with torch.no_grad():
        answers = fresh(torch.from_numpy(X[TEST])).argmax(1).numpy()
    seen: list[Tensor] = []
    history = spikec.fit(
        model,
        (X[TRAIN], Y[TRAIN]),
        **QUICK,
        validation=(X[TEST], answers),
        on_epoch=lambda history: seen.append(cast(Averaging, model).ema.clone()),
    )
    assert max(record["validation"] for record in history[1:]) < history[0]["validation"]
    assert seen[-1].abs().sum() > 0
    assert torch.equal(cast(Averaging, model).ema, torch.zeros(64))


@pytest.mark.parametrize(
    ("count", "batch", "sizes"),
    [(65, 32, [32, 33]), (66, 32, [32, 32, 2]), (33, 32, [33]), (3, 1, [1, 1, 1]), (1, 8, [1])],
)
def test_one_sample_that_is_left_over_joins_a_batch(
    count: int, batch: int, sizes: list[int]
) -> None:
    model, seen, done = nn.Linear(64, 10), [], []

    def watch(module: nn.Module, args: tuple[Tensor]) -> None:
        if module.training:
            seen.append(len(args[0]))

    model.register_forward_pre_hook(watch)
    data, total = (X[:count], Y[:count]), 2 * len(sizes)
    options: dict[str, Any] = {"batch": batch, "epochs": 2, "validation": (X[TEST], Y[TEST])}
    spikec.fit(model, data, **options, progress=lambda *now: done.append(now))
    assert seen == 2 * sizes
    assert done == [(index + 1, total) for index in range(total)]


def test_statistics_of_a_batch_need_two_samples() -> None:
    options: dict[str, Any] = {"epochs": 2, "validation": (X[TEST], Y[TEST])}
    spikec.fit(analog(), (X[:33], Y[:33]), **options, batch=32)
    with pytest.raises(DataError, match="give more samples"):
        spikec.fit(analog(), (X[:1], Y[:1]), **options, batch=32)
    with pytest.raises(DataError, match=r"one sample alone: Expected more than 1 value"):
        spikec.fit(analog(), (X[:9], Y[:9]), **options, batch=1)


def test_an_error_of_the_module_stays_its_own() -> None:
    def fail(module: nn.Module, args: object) -> None:
        if module.training:
            raise ValueError("of the module")

    model = analog()
    model.register_forward_pre_hook(fail)
    with pytest.raises(ValueError, match=r"^of the module$"):
        spikec.fit(model, (X, Y), epochs=1)


class Steep(nn.Module):
    """Its scores are finite, and the derivative of its weights is not a number."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.head(x) + (0 * self.head.weight.sum()).sqrt())


@pytest.mark.parametrize("clip", [0.0, 1.0])
def test_derivatives_that_are_not_finite_are_told_in_the_last_batch_too(clip: float) -> None:
    model = Steep()
    before = weights(model)
    with pytest.raises(DataError, match="the derivative of the loss is not finite any more"):
        spikec.fit(model, (X[:50], Y[:50]), epochs=1, batch=50, clip=clip)
    for ours, theirs in zip(weights(model), before, strict=True):
        assert torch.equal(ours, theirs)


def test_derivatives_whose_squares_are_infinite_may_be_clipped() -> None:
    model = nn.Linear(64, 10)
    history = spikec.fit(model, (X * np.float32(1e25), Y), epochs=1, clip=1.0)
    assert np.isfinite(history[-1]["loss"])


def test_sparse_derivatives_are_taken() -> None:
    model = nn.Embedding(10, 10, sparse=True)
    options: dict[str, Any] = {"epochs": 3, "rate": 1.0, "optimiser": "sgd", "momentum": 0.0}
    history = spikec.fit(model, (Y, Y), **options)
    assert history[-1]["validation"] == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_data_that_are_not_finite_are_named(value: float) -> None:
    wrong = X.astype(np.float64)
    wrong[1700, 3] = value
    with pytest.raises(DataError, match=r"1 of \d+ numbers are NaN or infinite\n.*input x of data"):
        spikec.fit(analog(), (wrong, Y), epochs=1)
    with pytest.raises(DataError, match="input x of validation"):
        spikec.fit(analog(), (X, Y), validation=(wrong, Y), epochs=1)


def test_the_callers_random_numbers_stay_what_they_were() -> None:
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    model = spiking()
    torch.random.set_rng_state(before)
    spikec.fit(model, (X[TRAIN], Y[TRAIN]), epochs=1)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_other_samples_may_choose_the_epoch() -> None:
    history = spikec.fit(analog(), (X[TRAIN], Y[TRAIN]), validation=(X[TEST], Y[TEST]), epochs=1)
    assert {"validation", "validation_loss"} <= set(history[-1])


def test_it_ends_early() -> None:
    options = {**QUICK, "epochs": 50, "rate": 1e-7, "patience": 2}
    history = spikec.fit(analog(), (X[TRAIN], Y[TRAIN]), **options)
    assert len(history) < 20


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"epoch": 3}, "did you mean epochs"),
        ({"optimiser": "adamm"}, "optimiser is 'adamm'"),
        ({"momentum": 1.5}, "momentum is 1.5"),
        ({"rate": -1}, "rate is -1"),
        ({"mixed": True}, "mixed precision on cpu"),
        ({"device": "cuda:9"}, "no device"),
        ({"device": "meta"}, "no device"),
        ({"resume": True}, "name the checkpoint"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        spikec.fit(analog(), (X[TRAIN], Y[TRAIN]), **options)


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "standing"
    spikec.fit(analog(), (X[TRAIN], Y[TRAIN]), epochs=1, checkpoint=path)
    other = nn.Sequential(nn.Linear(64, 10))
    with pytest.raises(UsageError, match=r"module: .* there"):
        spikec.fit(other, (X[TRAIN], Y[TRAIN]), epochs=1, checkpoint=path, resume=True)
    other = nn.Sequential(
        *(nn.Tanh() if isinstance(x, nn.ReLU) else x for x in analog().children())
    )
    with pytest.raises(UsageError, match=r"layers: '\w+' there, '\w+' here"):
        spikec.fit(other, (X[TRAIN], Y[TRAIN]), epochs=1, checkpoint=path, resume=True)


def test_a_checkpoint_chosen_by_other_samples_is_refused(tmp_path: Path) -> None:
    options: dict[str, Any] = {"epochs": 1, "checkpoint": tmp_path / "standing"}
    data, chosen = (X[TRAIN], Y[TRAIN]), (X[TEST], Y[TEST])
    spikec.fit(analog(), data, validation=chosen, **options)
    options["resume"] = True
    assert len(spikec.fit(analog(), data, validation=chosen, **options)) == 2
    for others in ((X[TEST][::-1], Y[TEST]), (X[TEST], Y[TEST][::-1])):
        with pytest.raises(UsageError, match=r"chosen by: '\w+' there, '\w+' here"):
            spikec.fit(analog(), data, validation=others, **options)


def test_a_share_that_chooses_belongs_to_the_checkpoint(tmp_path: Path) -> None:
    options: dict[str, Any] = {"epochs": 1, "checkpoint": tmp_path / "standing"}
    spikec.fit(analog(), (X[TRAIN], Y[TRAIN]), **options)
    labels = Y[TRAIN].copy()
    held = split(len(labels), FitOptions())[1].numpy()
    labels[held] = labels[held][::-1]
    with pytest.raises(UsageError, match="- chosen by: ") as caught:
        spikec.fit(analog(), (X[TRAIN], labels), **options, resume=True)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("damage", ["identity", "epoch", "free.0", "best.0", "group"])
def test_a_damaged_checkpoint_is_told(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "standing"
    spikec.fit(analog(), (X[:50], Y[:50]), epochs=1, checkpoint=path)
    with safe_open(path, "pt") as file:
        told = json.loads(file.metadata()["spikec"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
    told.pop(damage, None)
    tensors.pop(damage, None)
    if damage == "group":
        tensors["other.0"] = torch.zeros(1)
    save_file(tensors, path, {"spikec": json.dumps(told)})
    with pytest.raises(BadFile, match=r"damaged one (.|\n)*delete it to begin anew"):
        spikec.fit(analog(), (X[:50], Y[:50]), epochs=1, checkpoint=path, resume=True)


def test_labels_and_outputs_are_checked() -> None:
    with pytest.raises(DataError, match="10"):
        spikec.fit(analog(), (X[TRAIN], Y[TRAIN] + 5))
    with pytest.raises(DataError):
        spikec.fit(analog(), X[TRAIN])
    with pytest.raises(UsageError, match="class scores"):
        spikec.fit(nn.Sequential(nn.Linear(64, 10), nn.Unflatten(1, (1, 2, 5))), (X, Y))
    with pytest.raises(UsageError, match=r"does not take samples of shape \[\d+, 64\]"):
        spikec.fit(nn.Linear(63, 10), (X, Y))
    with pytest.raises(UsageError, match="no parameters"):
        spikec.fit(nn.ReLU(), (X, Y))
    with pytest.raises(DataError, match=r"samples of shape \[\[63\]\] to choose by"):
        spikec.fit(analog(), (X[TRAIN], Y[TRAIN]), validation=(X[TEST][:, 1:], Y[TEST]))
    with pytest.raises(DataError, match="lower the rate"):
        spikec.fit(analog(), (X[TRAIN], Y[TRAIN]), rate=1e30, epochs=2)


def test_a_network_trained_spiking_is_fine_tuned_as_a_program() -> None:
    net = nn.Sequential(
        *(Direct(4), Stepwise(nn.Linear(64, 32)), IF(), Stepwise(nn.Linear(32, 10)), Accumulator())
    )
    program = spikec.convert(net.eval(), X[TRAIN], 4)
    before = program.evaluate((X[TEST], Y[TEST]))
    assert before.drop == 0
    assert before.agreement == 1
    options: dict[str, Any] = {"epochs": 4, "batch": 32, "rate": 0.1}
    options |= {"distill": 0.0, "dropout": 0.1}
    tuned = spikec.finetune(program, (X[TRAIN], Y[TRAIN]), **options)
    again = spikec.finetune(program, (X[TRAIN], Y[TRAIN]), **options)
    assert tuned.evaluate((X[TEST], Y[TEST])).accuracy > 0.8
    np.testing.assert_array_equal(tuned.run(X[TEST]).output, again.run(X[TEST]).output)
