"""The paper's ResNets for ImageNet."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from curate.nn.fixup.errors import FixupError
from curate.nn.fixup.nets.resnet_cifar import FixupBasicBlock, reset_fixup_
from curate.nn.fixup.rule import he_


class FixupBottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution, a bias on both sides of each; plus x; ReLU."""

    fixup_scalars = ("bias1a", "bias1b", "bias2a", "bias2b", "bias3a", "scale", "bias3b")
    expansion = 4
    __jit_unused_properties__ = ("branch",)

    def __init__(self, inputs: int, outputs: int, stride: int = 1, projection: bool = False):
        super().__init__()
        wide = outputs * self.expansion
        self.bias1a = nn.Parameter(torch.zeros(1))
        self.conv1 = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.bias1b = nn.Parameter(torch.zeros(1))
        self.bias2a = nn.Parameter(torch.zeros(1))
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride, padding=1, bias=False)
        self.bias2b = nn.Parameter(torch.zeros(1))
        self.bias3a = nn.Parameter(torch.zeros(1))
        self.conv3 = nn.Conv2d(outputs, wide, 1, bias=False)
        self.scale = nn.Parameter(torch.ones(1))
        self.bias3b = nn.Parameter(torch.zeros(1))
        self.relu = nn.ReLU(inplace=True)
        self.downsample = nn.Conv2d(inputs, wide, 1, stride, bias=False) if projection else None

    @property
    def branch(self) -> list[nn.Module]:
        """The layers of the residual branch, in order."""
        return [self.conv1, self.conv2, self.conv3]

    def forward(self, x: Tensor) -> Tensor:
        """From (N, C, H, W) to (N, C', H', W')."""
        biased = x + self.bias1a
        out = self.relu(self.conv1(biased) + self.bias1b)
        out = self.relu(self.conv2(out + self.bias2a) + self.bias2b)
        out = self.conv3(out + self.bias3a) * self.scale + self.bias3b
        if self.downsample is not None:
            x = self.downsample(biased)
        return self.relu(out + x)


class FixupResNetImageNet(nn.Module):
    """Fixup ResNet for large images: four stages of basic blocks or bottlenecks.

    Parameters are named and ordered as in the authors' code, so their checkpoints load.

    Args:
        block: FixupBasicBlock or FixupBottleneck.
        blocks: how many in each of the four stages.
        num_classes: outputs.
    """

    fixup_scalars = ("bias1", "bias2")

    def __init__(
        self,
        block: type[FixupBasicBlock] | type[FixupBottleneck],
        blocks: Sequence[int],
        num_classes: int = 1000,
    ):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bias1 = nn.Parameter(torch.zeros(1))
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        stages, channels = [], 64
        for stage, count in enumerate(blocks):
            outputs = 64 * 2**stage
            layers: list[nn.Module] = []
            for index in range(count):
                stride = 2 if stage and not index else 1
                wide = outputs * block.expansion
                layers.append(block(channels, outputs, stride, stride != 1 or channels != wide))
                channels = wide
            stages.append(nn.Sequential(*layers))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.bias2 = nn.Parameter(torch.zeros(1))
        self.fc = nn.Linear(channels, num_classes)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Fixup: every branch by the rule, He for shortcuts, zero for the classifier."""
        reset_fixup_(self)
        for module in self.modules():
            if isinstance(shortcut := getattr(module, "downsample", None), nn.Conv2d):
                he_(shortcut, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, num_classes) of images (N, channels, H, W)."""
        x = self.maxpool(self.relu(self.conv1(x) + self.bias1))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1) + self.bias2)


_STAGES: dict[int, tuple[type[FixupBasicBlock] | type[FixupBottleneck], tuple[int, ...]]] = {
    18: (FixupBasicBlock, (2, 2, 2, 2)),
    34: (FixupBasicBlock, (3, 4, 6, 3)),
    50: (FixupBottleneck, (3, 4, 6, 3)),
    101: (FixupBottleneck, (3, 4, 23, 3)),
    152: (FixupBottleneck, (3, 8, 36, 3)),
}


def fixup_resnet(depth: int, num_classes: int = 1000) -> FixupResNetImageNet:
    """A Fixup ResNet for ImageNet, of depth 18, 34, 50, 101 or 152 (He et al., 2016, table 1).

    Raises:
        FixupError: another depth.

    Example:
        >>> fixup_resnet(18)(torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 1000])
    """
    if depth not in _STAGES:
        raise FixupError(
            f"depth: {depth}; give one of {', '.join(map(str, _STAGES))}, or build a "
            "FixupResNetImageNet of other stages"
        )
    return FixupResNetImageNet(*_STAGES[depth], num_classes)
