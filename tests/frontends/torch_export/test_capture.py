"""Which route a model takes, what stays untouched, and what refusals say."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spikec.errors import DataError, UnsupportedModel, UntraceableModel, UsageError
from spikec.frontends.torch_export import import_model
from spikec.zoo import build
from tests.frontends.torch_export import networks as nets
from tests.frontends.torch_export.helpers import distance, outputs, results

X = torch.zeros(2, 4)


class Remembering(nn.Module):
    """Decides by a buffer's value: torch.export refuses that, symbolic tracing does not."""

    gain: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.bn = nn.Linear(4, 4), nn.BatchNorm1d(4)
        self.register_buffer("gain", torch.tensor(2.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.last = self.fc(x)
        if self.gain > 1:
            self.last = self.last * 2
        return torch.relu(self.bn(self.last)) + x.view(x.size(0), -1)


class Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.sum() > 0:
            return x
        return -x


class Looping(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x[i] * 2 for i in range(x.shape[0])])


class Function(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: torch.Tensor) -> Any:
        return self.function(*args)


def test_what_export_refuses_is_traced_symbolically_and_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = Remembering().eval()
    with caplog.at_level(logging.WARNING, "spikec"):
        graph = import_model(model, X)
    assert graph.notes["capture"].startswith("torch.fx.symbolic_trace")
    assert "data-dependent" in graph.notes["capture_refused"]
    assert "symbolic_trace" in caplog.text
    (place,) = graph["fc"].location.places
    assert (place.module, place.file.rpartition("/")[2]) == ("fc", "test_capture.py")
    for batch in (2, 3):
        feed = torch.randn(batch, 4)
        got = results(graph, feed)
        assert distance(outputs(model, (feed,), {}), got) <= 1e-6


@pytest.mark.parametrize("model", [Remembering(), nets.ShortcutB()], ids=["traced", "exported"])
def test_the_model_is_left_as_it_was_found(model: nn.Module) -> None:
    model.train()
    frozen = next(m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm))
    frozen.training = False
    modes = [m.training for m in model.modules()]
    keys = [sorted(m.__dict__) for m in model.modules()]
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    example = X if isinstance(model, Remembering) else torch.randn(2, 3, 8, 8)
    import_model(model, example)
    assert [m.training for m in model.modules()] == modes
    assert [sorted(m.__dict__) for m in model.modules()] == keys
    assert all(torch.equal(state[name], t) for name, t in model.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


def test_the_model_is_left_as_it_was_found_by_a_failure_too() -> None:
    model = nn.Sequential(nn.BatchNorm1d(4), Branching(), nn.Dropout())
    model[2].eval()
    with pytest.raises(UntraceableModel):
        import_model(model, X)
    assert [m.training for m in model.modules()] == [True, True, True, False]


def test_control_flow_on_data_is_one_error_with_both_reasons_and_the_line() -> None:
    with pytest.raises(UntraceableModel) as caught:
        import_model(Branching(), X)
    error = caught.value
    assert [p.what.split(":")[0] for p in error.problems] == [
        "torch.export",
        "torch.fx.symbolic_trace",
    ]
    line = Branching.forward.__code__.co_firstlineno + 1
    assert all(p.where.endswith(f"test_capture.py:{line}") for p in error.problems)
    assert "torch.where" in error.remedy


def test_a_loop_over_the_batch_is_refused() -> None:
    with pytest.raises(UntraceableModel, match="specialized it to be a constant"):
        import_model(Looping(), X)


def test_everything_unknown_stands_in_one_error_with_its_place() -> None:
    def forward(x: torch.Tensor) -> torch.Tensor:
        y = torch.cumprod(x, 1)
        z, _ = torch.kthvalue(torch.relu(y), 1)
        return torch.add(torch.rand_like(y), torch.special.bessel_j0(z)[:, None])

    with pytest.raises(UnsupportedModel) as caught:
        import_model(Function(forward), X)
    problems = caught.value.problems
    named = [p.what.split(" ")[0] for p in problems]
    assert named == [
        "aten.cumprod.default",
        "aten.kthvalue.default",
        "aten.rand_like.default",
        "aten.special_bessel_j0.default",
    ]
    first = forward.__code__.co_firstlineno
    lines = [int(p.where.rstrip(")").rpartition(":")[2]) - first for p in problems]
    assert lines == [1, 2, 3, 3]
    assert all(p.remedy for p in problems)


REFUSED: dict[str, tuple[Any, str]] = {
    "batch statistics": (nn.BatchNorm1d(4, track_running_stats=False), "batch at hand"),
    "random numbers": (Function(lambda x: x + torch.rand(4)), "random numbers"),
    "recurrent layers": (
        nn.Sequential(nn.Unflatten(1, (2, 2)), nn.LSTM(2, 3, batch_first=True)),
        "recurrent",
    ),
    "a batch that is cut": (Function(lambda x: x[:1] + x), "is the batch"),
    "the batch as a number": (Function(lambda x: x * x.shape[0]), "batch size"),
    "the batch as a result": (Function(lambda x: (x, x.shape[0])), "batch size is a result"),
    "a batch that grows by one": (Function(lambda x: torch.cat([x, torch.zeros(1, 4)])), "on axis"),
    "complex numbers": (Function(lambda x: torch.fft.rfft(x).abs()), "complex"),
    "sizes that data decide": (Function(lambda x: x[x > 0]), "depends on the values"),
    "indices of a pool": (
        Function(lambda x: nn.functional.max_pool1d(x[:, None], 2, return_indices=True)),
        "positions of the maxima",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_change_the_meaning_is_refused(name: str) -> None:
    model, reason = REFUSED[name]
    with pytest.raises(UnsupportedModel, match=reason):
        import_model(model.eval(), X)


def test_a_model_that_writes_its_buffers_is_refused() -> None:
    class Counting(nn.Module):
        calls: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return x + self.calls

    model = Counting()
    with pytest.raises(UnsupportedModel, match="writes the buffer calls"):
        import_model(model, X)
    assert model.calls == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_by_name(value: float) -> None:
    last = nn.Linear(4, 2)
    model = nn.Sequential(nn.Linear(4, 4), last)
    with torch.no_grad():
        last.weight[0, 0] = value
    with pytest.raises(DataError, match=r"1\.weight holds"):
        import_model(model, X)


def test_statistics_that_are_not_finite_are_refused() -> None:
    norm = nn.BatchNorm1d(4)
    assert norm.running_var is not None
    norm.running_var[1] = float("inf")
    model = nn.Sequential(norm)
    with pytest.raises(DataError, match="running variance"):
        import_model(model, X)


@pytest.mark.parametrize(
    ("example", "message"),
    [
        (None, "needs an example input"),
        (torch.zeros(0, 4), "empty"),
        (torch.zeros(()), "no tensor with a batch axis"),
        (torch.zeros(2, 5), "fails on the example input"),
        (torch.zeros(2, 4, dtype=torch.int64), "floating point"),
        ((X, X), "does not fit"),
        ({"y": X}, "does not fit"),
        (np.array(["a", "b"]), "cannot be read"),
    ],
)
def test_a_wrong_example_is_named(example: object, message: str) -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.fc(x)
            return result

    with pytest.raises((DataError, UsageError, UnsupportedModel), match=message):
        import_model(Plain(), example)


def test_a_model_that_says_what_it_expects_is_quoted() -> None:
    model = build("spikesr_s", size=(16, 16), width=8, groups=1, blocks=1, patch=8)
    with pytest.raises(DataError) as caught:
        import_model(model.eval(), torch.zeros(1, 3, 16, 24))
    assert caught.value.expected == "[images, 3, 16, 16]"
    assert "spikec.nn.tiled" in caught.value.remedy


def test_models_of_other_kinds_are_refused() -> None:
    with pytest.raises(UsageError, match="is not a PyTorch model"):
        import_model(object(), X)
    with pytest.raises(DataError, match="no values yet"):
        import_model(nn.Linear(4, 3, device="meta"), X)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_is_refused_with_the_remedy() -> None:
    with pytest.raises(UntraceableModel, match="TorchScript"):
        import_model(torch.jit.script(nn.Linear(4, 3)), X)


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
def test_a_second_varying_axis_is_refused() -> None:
    dynamic = ({0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC},)
    program = torch.export.export(nn.ReLU(), (X,), dynamic_shapes=dynamic)
    with pytest.raises(UnsupportedModel, match="axis 1 of input"):
        import_model(program)


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
def test_a_program_of_fixed_batch_stays_fixed() -> None:
    program = torch.export.export(nn.Linear(4, 3), (X,))
    graph = import_model(program)
    assert graph.inputs[0].outputs[0].type.dims == (2, 4)


def test_a_number_read_from_a_buffer_is_that_number() -> None:
    class Scaled(nn.Module):
        scale: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("scale", torch.tensor(2.5))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.scale.item()

    feed = torch.randn(3, 4)
    graph = import_model(Scaled(), X)
    assert distance(outputs(Scaled(), (feed,), {}), results(graph, feed)) == 0


def test_half_precision_is_held_and_bfloat16_widened() -> None:
    model = nn.Linear(4, 3).to(torch.bfloat16)
    graph = import_model(model, X.to(torch.bfloat16))
    feed = torch.randn(3, 4).to(torch.bfloat16).float()
    assert distance(outputs(model.float(), (feed,), {}), results(graph, feed)) <= 1e-6
