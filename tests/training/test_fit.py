"""Training of modules: it learns, repeats itself, goes on after a kill, refuses what it must."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import spikec
from spikec.errors import DataError, UsageError
from spikec.nn import IF, LIF, Accumulator, Direct, Stepwise, TdBatchNorm, TimeDropout
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


@pytest.mark.parametrize("make", [analog, spiking])
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
