"""Training on crops: a function of the draw, and of nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spikec.errors import DataError, UsageError
from spikec.metrics import psnr
from spikec.training.finetune import Hooks
from spikec.training.module import fit_task, identity_of
from spikec.training.objective import Samples
from spikec.training.options import FitOptions
from spikec.training.super_resolution import (
    INPUT,
    TARGET,
    SuperResolutionTask,
    Views,
    decibels,
)


def pairs(
    count: int = 5, height: int = 12, width: int = 9, scale: int = 2
) -> tuple[Tensor, Tensor]:
    """Every pixel has a number of its own; the large image repeats it."""
    x = torch.arange(float(count * 3 * height * width)).reshape(count, 3, height, width)
    return x, x.repeat_interleave(scale, -1).repeat_interleave(scale, -2)


@pytest.mark.parametrize("scale", [2, 3])
def test_crops_of_both_sizes_show_the_same_place(scale: int) -> None:
    x, target = pairs(scale=scale)
    views = Views(scale, crop=4)
    seen = set()
    for draw in range(20):
        small, large = views(x, target, draw)
        assert small.shape == (5, 3, 4, 4)
        assert torch.equal(large, small.repeat_interleave(scale, -1).repeat_interleave(scale, -2))
        again = views(x, target, draw)
        assert torch.equal(again[0], small)
        rows, columns = small[..., 0].diff(dim=-1), small[..., 0, :].diff(dim=-1)
        assert set(torch.unique(rows.abs()).tolist()) == {9.0}
        seen |= {(a > 0, b > 0) for a, b in zip(rows[:, 0, 0], columns[:, 0, 0], strict=True)}
    assert {(bool(a), bool(b)) for a, b in seen} == {
        (a, b) for a in (True, False) for b in (True, False)
    }


def test_without_a_draw_the_middle_is_taken_as_it_is() -> None:
    x, target = pairs()
    small, large = Views(2, crop=4)(x, target, None)
    assert torch.equal(small, x[:, :, 4:8, 2:6])
    assert torch.equal(large, target[:, :, 8:16, 4:12])
    assert all(
        torch.equal(a, b) for a, b in zip(Views(2)(x, target, None), (x, target), strict=True)
    )
    straight = Views(2, turned=False)(x, target, 3)
    assert torch.equal(straight[0], x)


def test_decibels_are_those_of_the_metric() -> None:
    random = torch.Generator().manual_seed(0)
    x, y = (torch.rand((4, 3, 6, 5), generator=random) for _ in range(2))
    found = decibels(1.4 * x - 0.2, y)
    np.testing.assert_allclose(found, psnr((1.4 * x - 0.2).clip(0, 1), y), rtol=1e-5)
    assert decibels(y, y).tolist() == [100.0] * 4


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.Dropout(0.1), nn.PixelShuffle(2))


def samples(count: int = 24) -> Samples:
    large = torch.rand((count, 3, 20, 20), generator=torch.Generator().manual_seed(1))
    large = nn.functional.avg_pool2d(large, 5, 1, 2)
    return Samples({INPUT: nn.functional.avg_pool2d(large, 2), TARGET: large}, None, None)


def test_the_loss_is_the_mean_absolute_error_of_what_is_drawn() -> None:
    model, views = net().eval(), Views(2, crop=6)
    task = SuperResolutionTask(model, FitOptions(), "cpu", views)
    batch = samples(4)
    loss, decibel = task.loss(batch, None)
    small, large = views(batch.inputs[INPUT], batch.inputs[TARGET], None)
    torch.testing.assert_close(loss, (model(small) - large).abs().mean())
    assert decibel == pytest.approx(float(decibels(model(small), large).sum()))
    first, again = (task.loss(batch, 7)[0] for _ in range(2))
    assert torch.equal(first, again)  # dropout too
    assert not torch.equal(first, task.loss(batch, 8)[0])


def fitted(
    folder: Path | None, epochs: int, resume: bool = False
) -> tuple[nn.Module, list[dict[str, float]]]:
    model, options = net(), FitOptions(epochs=4, batch=8, rate=3e-3, schedule="constant")
    path = None if folder is None else folder / "checkpoint"

    def stop(history: list[dict[str, float]]) -> None:
        if history[-1]["epoch"] >= epochs:
            raise KeyboardInterrupt

    hooks = Hooks(
        on_epoch=stop if epochs < 4 else lambda history: None, checkpoint=path, resume=resume
    )
    task = SuperResolutionTask(model, options, "cpu", Views(2, crop=6))
    learned, chosen = samples(), samples(8)
    history = fit_task(task, learned, chosen, options, hooks, identity_of(model, learned, options))
    return model, history


def test_it_learns_and_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    whole, history = fitted(None, 4)
    assert history[-1]["validation_loss"] < 0.5 * history[0]["validation_loss"]
    assert history[-1]["validation"] > history[0]["validation"] + 3  # dB
    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path, 3)
    resumed, _ = fitted(tmp_path, 4, resume=True)
    for ours, theirs in zip(resumed.parameters(), whole.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_what_does_not_belong_together_is_refused() -> None:
    x, target = pairs()
    with pytest.raises(DataError, match="targets 3 times as high"):
        Views(3)(x, target, None)
    with pytest.raises(UsageError, match="crops of 10 pixels"):
        Views(2, crop=10)(x, target, 0)
    with pytest.raises(UsageError, match="crops of 0 pixels"):
        Views(2, crop=0)
    task = SuperResolutionTask(nn.Conv2d(3, 3, 1), FitOptions(), "cpu", Views(2))
    with pytest.raises(UsageError, match="the module gives"):
        task.loss(samples(2), None)
