"""Small networks for the reference trainer."""

from collections.abc import Sequence
from difflib import get_close_matches

import torch
from torch import Tensor, nn

from curate.data import VOCABULARY
from curate.errors import CurateError

NETS = ("mlp", "cnn", "resnet18", "lightconv")
TIMM = "timm:"
"""Before the name of one of timm's models, for images."""


def build(name: str, shape: Sequence[int], classes: int) -> nn.Module:
    """A freshly initialised classifier, inputs of (N, *shape) to logits (N, classes).

    Args:
        name: "mlp" (any shape), "cnn" (images; for colour images of 16 pixels and more the net
            of airbench93, Jordan, 2024: a whitening convolution and three groups, 0.6 million
            weights; smaller ones for others), "resnet18" (images; 11
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
    if name.startswith(TIMM):
        return _of_timm(name, shape, classes)
    if name == "mlp":
        return _mlp(int(torch.Size(shape).numel()), classes)
    if name == "lightconv":
        from curate.nn import TextClassifier

        return TextClassifier(VOCABULARY, classes)
    if name == "resnet18":
        return _resnet18(shape[0], classes)
    if min(shape[1:]) < 16:
        return _small_cnn(shape[0], classes)
    return _whitened_cnn(classes) if shape[0] == 3 else _grey_cnn(shape[0], classes)


def check_net(name: str, shape: Sequence[int], text: bool) -> None:
    """Raise a CurateError for an unknown net, or one that does not take these examples."""
    if name.startswith(TIMM):
        _check_timm(name)
    elif name not in NETS:
        raise CurateError(f"model: {name!r}; choose one of {', '.join(NETS)}, or timm:NAME")
    if text != (name == "lightconv"):
        raise CurateError(
            f"model: {name!r} for {'' if text else 'other than '}texts; use "
            f"{'lightconv' if text else 'mlp'}"
        )
    images = name in ("cnn", "resnet18") or name.startswith(TIMM)
    if images and len(shape) != 3:
        raise CurateError(f"model: {name!r} needs images (C, H, W), not {tuple(shape)}; use mlp")


def _check_timm(name: str) -> None:
    try:
        import timm
    except ImportError as error:
        raise CurateError(
            f"model: {name!r}, but timm is not installed; pip install 'curate-data[timm]' brings it"
        ) from error
    known = name.removeprefix(TIMM)
    if not timm.is_model(known):
        near = get_close_matches(known, timm.list_models(), n=3) or ["resnet18"]
        raise CurateError(f"model: {name!r} is no model of timm's; did you mean {', '.join(near)}?")


def _of_timm(name: str, shape: Sequence[int], classes: int) -> nn.Module:
    import timm

    try:
        model: nn.Module = timm.create_model(
            name.removeprefix(TIMM), pretrained=False, num_classes=classes, in_chans=shape[0]
        )
        with torch.no_grad():
            logits = model.eval()(torch.zeros(1, *shape))
    except Exception as error:  # each model has sentences of its own for sizes it does not take
        raise CurateError(
            f"model: {name!r} does not take images of {tuple(shape)} ({error}); choose another"
        ) from error
    if logits.shape != (1, classes):
        raise CurateError(
            f"model: {name!r} gives {tuple(logits.shape)} for an image; choose a classifier"
        )
    return model.train()


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


def _grey_cnn(channels: int, classes: int) -> nn.Module:
    return nn.Sequential(
        *_convolution(channels, 16, pool=True),
        *_convolution(16, 32),
        *_convolution(32, 32, pool=True),
        *_convolution(32, 64),
        *_convolution(64, 64),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(64, classes),
    )


class Whitening(nn.Conv2d):
    """A fixed convolution whose outputs have equal variance and no correlation over an image set.

    Its 2×2 kernels are the principal directions of the set's patches, scaled to unit variance, and
    their negatives (Jordan, 2024, '94 % on CIFAR-10 in 3.29 seconds on a single GPU', Section
    3.1). It is not trained, so nothing is back-propagated to the largest feature maps.
    """

    SCALE_FLOOR = 5e-4  # keeps directions that hold nothing but noise from being blown up

    def __init__(self, channels: int) -> None:
        super().__init__(channels, 8 * channels, 2, bias=False)
        self.weight.requires_grad_(False)

    @torch.no_grad()
    def fit(self, images: Tensor) -> None:
        """Take the kernels from normalised images (N, C, H, W), float32."""
        channels = images.shape[1]
        patches = images.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5)
        flat = patches.reshape(-1, 4 * channels).double()
        variances, directions = torch.linalg.eigh(flat.T @ flat / len(flat))
        kernels = (directions / (variances + self.SCALE_FLOOR).sqrt()).T
        kernels = kernels.reshape(-1, channels, 2, 2)
        self.weight.copy_(torch.cat([kernels, -kernels]))


def _whitened_cnn(
    classes: int, channels: int = 3, widths: Sequence[int] = (64, 128, 128)
) -> nn.Module:
    """Three groups of convolutions after a whitening one: airbench93 of Jordan (2024)."""
    groups: list[nn.Module] = []
    inputs = 8 * channels
    for outputs in widths:
        groups += _group(inputs, outputs)
        inputs = outputs
    return nn.Sequential(
        Whitening(channels),
        nn.GELU(),
        *groups,
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        _ScaledLinear(inputs, classes),
    )


def _group(inputs: int, outputs: int) -> list[nn.Module]:
    first, second = (nn.Conv2d(i, outputs, 3, padding=1, bias=False) for i in (inputs, outputs))
    for kernel in (first, second):  # the first outputs start as the inputs
        nn.init.dirac_(kernel.weight[: kernel.in_channels])
    return [
        first, nn.MaxPool2d(2), nn.BatchNorm2d(outputs), nn.GELU(),
        second, nn.BatchNorm2d(outputs), nn.GELU(),
    ]  # fmt: skip


class _ScaledLinear(nn.Linear):
    """Logits that start small, so that the first steps are not taken in a random direction."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__(inputs, classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) / 9


def _convolution(inputs: int, outputs: int, pool: bool = False) -> list[nn.Module]:
    """A convolution, pooled before the rest so that this has a quarter of the pixels to do."""
    kernel = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    pooling = [nn.MaxPool2d(2)] if pool else []
    return [kernel, *pooling, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def _resnet18(channels: int, classes: int) -> nn.Module:
    from torchvision.models import resnet18

    model = resnet18(num_classes=classes)
    model.conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
    model.maxpool = nn.Identity()
    return model
