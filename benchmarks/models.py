"""The models of the import benchmarks: a name, a factory, and what their inputs look like.

Weights are random (seed 0) and batch normalisations have random statistics, so that no error can
hide behind zeros and ones. torchvision and transformers come with the `bench` extra.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Model:
    """How to build a model and its input."""

    build: Callable[[], nn.Module]
    draw: Callable[[int], dict[str, torch.Tensor]]


def torchvision_models() -> object:
    """Import torchvision's models, also where its compiled operators do not load.

    Its wheels are built for one build of torch; beside another one, registration fails on two
    operators that no model here needs. Declaring them first is enough.
    """
    try:
        return importlib.import_module("torchvision.models")
    except RuntimeError:
        make: Any = torch.library.Library
        library = make("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEPT.append(library)
        return importlib.import_module("torchvision.models")


_KEPT: list[object] = []
"""Operators vanish with the object that declared them."""


def randomised(model: nn.Module) -> nn.Module:
    """Draw statistics of batch normalisations, and whatever starts out as zeros."""
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                mean, variance = module.running_mean, module.running_var
                assert mean is not None
                assert variance is not None
                mean.copy_(torch.randn(mean.shape, generator=rng) * 0.1)
                variance.copy_(torch.rand(variance.shape, generator=rng) + 0.5)
        for parameter in model.parameters():
            if not parameter.any():
                parameter.copy_(torch.randn(parameter.shape, generator=rng) * 0.02)
    return model.eval()


def _torchvision(name: str, size: int) -> Model:
    def build() -> nn.Module:
        torch.manual_seed(0)
        options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        return randomised(getattr(torchvision_models(), name)(weights=None, **options))

    return Model(build, lambda batch: {"x": torch.randn(batch, 3, size, size)})


def transformers_module() -> ModuleType:
    """Import transformers, which imports torchvision where it is installed."""
    if importlib.util.find_spec("torchvision") is not None:
        torchvision_models()
    return importlib.import_module("transformers")


def _bert() -> nn.Module:
    transformers = transformers_module()
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=1000,
        hidden_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=64,
    )
    return randomised(transformers.BertModel(config))


def _vit() -> nn.Module:
    transformers = transformers_module()
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=128,
        image_size=64,
        patch_size=8,
    )
    return randomised(transformers.ViTForImageClassification(config))


def _tokens(batch: int) -> dict[str, torch.Tensor]:
    mask = (torch.arange(24) < torch.randint(4, 25, (batch, 1))).long()
    return {"input_ids": torch.randint(0, 1000, (batch, 24)), "attention_mask": mask}


MODELS: dict[str, Model] = {
    "resnet18": _torchvision("resnet18", 64),
    "resnet50": _torchvision("resnet50", 64),
    "vgg16_bn": _torchvision("vgg16_bn", 64),
    "mobilenet_v2": _torchvision("mobilenet_v2", 64),
    "mobilenet_v3_small": _torchvision("mobilenet_v3_small", 64),
    "densenet121": _torchvision("densenet121", 64),
    "squeezenet1_1": _torchvision("squeezenet1_1", 64),
    "shufflenet_v2_x1_0": _torchvision("shufflenet_v2_x1_0", 64),
    "efficientnet_b0": _torchvision("efficientnet_b0", 64),
    "convnext_tiny": _torchvision("convnext_tiny", 64),
    "vit_b_16": _torchvision("vit_b_16", 224),
    "swin_t": _torchvision("swin_t", 64),
    "regnet_y_400mf": _torchvision("regnet_y_400mf", 64),
    "googlenet": _torchvision("googlenet", 64),
    "inception_v3": _torchvision("inception_v3", 224),
    "BertModel": Model(_bert, _tokens),
    "ViTForImageClassification": Model(
        _vit, lambda batch: {"pixel_values": torch.randn(batch, 3, 64, 64)}
    ),
}
