"""Small networks for the reference trainer."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from curate.data import VOCABULARY
from curate.errors import CurateError

NETS = ("mlp", "cnn", "resnet18", "lightconv")


def build(name: str, shape: Sequence[int], classes: int) -> nn.Module:
    """A freshly initialised classifier, inputs of (N, *shape) to logits (N, classes).

    Args:
        name: "mlp" (any shape), "cnn" (images; a residual net of 0.4 million weights for colour
            images of 16 pixels and more, smaller ones for others), "resnet18" (images; 11
            million weights, He et al., 2016, with the stem for 32×32 pixels) or "lightconv"
            (token ids; light convolutions, Wu et al., 2019).
        shape: of one example.
        classes: number of classes, at least 2.

    Raises:
        CurateError: an unknown name, an image net for other examples, or fewer classes.
    """
    check_net(name, shape, text=name == "lightconv")
    if classes < 2:
        raise CurateError(f"dataset: it has {classes} class; a classifier needs at least 2")
    if name == "mlp":
        return _mlp(int(torch.Size(shape).numel()), classes)
    if name == "lightconv":
        from curate.nn import TextClassifier

        return TextClassifier(VOCABULARY, classes)
    if name == "resnet18":
        return _resnet18(shape[0], classes)
    if min(shape[1:]) < 16:
        return _small_cnn(shape[0], classes)
    return _cnn(shape[0], classes, width=16 if shape[0] == 3 else 8)


def check_net(name: str, shape: Sequence[int], text: bool) -> None:
    """Raise a CurateError for an unknown net, or one that does not take these examples."""
    if name not in NETS:
        raise CurateError(f"model: {name!r}; choose one of {', '.join(NETS)}")
    if text != (name == "lightconv"):
        raise CurateError(
            f"model: {name!r} for {'' if text else 'other than '}texts; use "
            f"{'lightconv' if text else 'mlp'}"
        )
    if name in ("cnn", "resnet18") and len(shape) != 3:
        raise CurateError(f"model: {name!r} needs images (C, H, W), not {tuple(shape)}; use mlp")


def _mlp(inputs: int, classes: int) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, 256),
        nn.BatchNorm1d(256),
        nn.ReLU(),
        nn.Linear(256, 256),
        nn.BatchNorm1d(256),
        nn.ReLU(),
        nn.Linear(256, classes),
    )


def _small_cnn(channels: int, classes: int) -> nn.Module:
    return nn.Sequential(
        *_convolution(channels, 32),
        *_convolution(32, 64),
        nn.MaxPool2d(2, ceil_mode=True),
        *_convolution(64, 64),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(64, classes),
    )


def _cnn(channels: int, classes: int, width: int) -> nn.Module:
    return nn.Sequential(
        *_convolution(channels, width),
        *_convolution(width, 2 * width),
        nn.MaxPool2d(2),
        _Residual(2 * width),
        *_convolution(2 * width, 4 * width),
        nn.MaxPool2d(2),
        *_convolution(4 * width, 8 * width),
        nn.MaxPool2d(2),
        _Residual(8 * width),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(8 * width, classes),
    )


def _convolution(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    kernel = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return kernel, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(*_convolution(width, width), *_convolution(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


def _resnet18(channels: int, classes: int) -> nn.Module:
    from torchvision.models import resnet18

    model = resnet18(num_classes=classes)
    model.conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
    model.maxpool = nn.Identity()
    return model
