"""The paper's ResNets for 32x32 images, of any depth 6n + 2."""

from typing import Any

import torch
from torch import Tensor, nn

from curate.nn.fixup.errors import FixupError
from curate.nn.fixup.rule import fixup_init_, zero_


class FixupBasicBlock(nn.Module):
    """Two 3x3 convolutions: bias, conv, bias, ReLU, bias, conv, scale, bias; plus x; ReLU.

    Where channels double, the shortcut takes every second pixel of the biased input and appends
    as many channels of zeros; in ImageNet networks it is a 1x1 convolution (``projection``).
    """

    fixup_scalars = ("bias1a", "bias1b", "bias2a", "scale", "bias2b")
    expansion = 1
    __jit_unused_properties__ = ("branch",)

    def __init__(self, inputs: int, outputs: int, stride: int = 1, projection: bool = False):
        super().__init__()
        self.bias1a = nn.Parameter(torch.zeros(1))
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bias1b = nn.Parameter(torch.zeros(1))
        self.relu = nn.ReLU(inplace=True)
        self.bias2a = nn.Parameter(torch.zeros(1))
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.scale = nn.Parameter(torch.ones(1))
        self.bias2b = nn.Parameter(torch.zeros(1))
        self.downsample: nn.Module | None = None
        self.widen = 0
        if projection:
            self.downsample = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        elif stride != 1 or inputs != outputs:
            self.downsample = nn.AvgPool2d(1, stride)
            self.widen = outputs - inputs

    @property
    def branch(self) -> list[nn.Module]:
        """The layers of the residual branch, in order."""
        return [self.conv1, self.conv2]

    def forward(self, x: Tensor) -> Tensor:
        """From (N, C, H, W) to (N, C', H', W')."""
        biased = x + self.bias1a
        out = self.relu(self.conv1(biased) + self.bias1b)
        out = self.conv2(out + self.bias2a) * self.scale + self.bias2b
        if self.downsample is not None:
            x = self.downsample(biased)
            if self.widen:
                x = torch.nn.functional.pad(x, (0, 0, 0, 0, 0, self.widen))
        return self.relu(out + x)


class FixupResNetCIFAR(nn.Module):
    """Fixup ResNet for small images: three stages of ``blocks`` basic blocks.

    Parameters are named and ordered as in the authors' code, so their checkpoints load.

    Args:
        blocks: basic blocks per stage; depth = 6 x blocks + 2.
        num_classes: outputs.
        width: channels of the first stage; the others have 2 and 4 times as many.
        in_channels: of the images.

    Raises:
        FixupError: a number below 1.
    """

    def __init__(
        self, blocks: int, num_classes: int = 10, *, width: int = 16, in_channels: int = 3
    ):
        super().__init__()
        for name, value in (
            ("blocks", blocks),
            ("num_classes", num_classes),
            ("width", width),
            ("in_channels", in_channels),
        ):
            if value < 1:
                raise FixupError(f"{name}: {value}; give at least 1")
        self.conv1 = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        self.bias1 = nn.Parameter(torch.zeros(1))
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _stage(width, width, blocks, 1)
        self.layer2 = _stage(width, 2 * width, blocks, 2)
        self.layer3 = _stage(2 * width, 4 * width, blocks, 2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.bias2 = nn.Parameter(torch.zeros(1))
        self.fc = nn.Linear(4 * width, num_classes)
        self.reset_parameters()

    fixup_scalars = ("bias1", "bias2")

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Fixup: every branch by the rule, the classifier zero, the stem as torch has it."""
        reset_fixup_(self)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, num_classes) of images (N, channels, H, W)."""
        x = self.relu(self.conv1(x) + self.bias1)
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(self.avgpool(x).flatten(1) + self.bias2)


def reset_fixup_(model: Any) -> None:
    """Initialise a network that is built from blocks with a ``branch``."""
    blocks = [module for module in model.modules() if hasattr(module, "branch")]
    for block in blocks:
        fixup_init_(block.branch, len(blocks))
    for module in model.modules():
        for name in getattr(module, "fixup_scalars", ()):
            nn.init.constant_(getattr(module, name), float(name == "scale"))
    model.conv1.reset_parameters()
    zero_(model.fc)


def _stage(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
    first = FixupBasicBlock(inputs, outputs, stride)
    return nn.Sequential(first, *(FixupBasicBlock(outputs, outputs) for _ in range(1, blocks)))


def fixup_resnet_cifar(
    depth: int, num_classes: int = 10, *, width: int = 16, in_channels: int = 3
) -> FixupResNetCIFAR:
    """A Fixup ResNet for CIFAR of any depth 6n + 2.

    Raises:
        FixupError: a depth that is not 6n + 2 with n of at least 1.

    Example:
        >>> fixup_resnet_cifar(20)(torch.zeros(1, 3, 32, 32)).shape
        torch.Size([1, 10])
    """
    if depth < 8 or (depth - 2) % 6:
        below = max(8, depth - (depth - 2) % 6)
        raise FixupError(f"depth: {depth} is not 6n + 2; try {below} or {below + 6}")
    return FixupResNetCIFAR((depth - 2) // 6, num_classes, width=width, in_channels=in_channels)
