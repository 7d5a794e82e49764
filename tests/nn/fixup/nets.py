"""Small residual networks that the tests build by hand."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy, relu

from curate.nn import fixup_param_groups


class PostBlock(nn.Module):
    """conv, norm, relu, conv, norm; plus x; relu: He et al., 2016."""

    def __init__(self, width, norm=nn.BatchNorm2d):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1 = norm(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = norm(width)

    def forward(self, x):
        out = relu(self.norm1(self.conv1(x)))
        return relu(x + self.norm2(self.conv2(out)))


class PreBlock(nn.Module):
    """norm, relu, conv, three times; plus x."""

    def __init__(self, width):
        super().__init__()
        self.norms = nn.ModuleList([nn.BatchNorm2d(width) for _ in range(3)])
        self.convs = nn.ModuleList([nn.Conv2d(width, width, 1) for _ in range(3)])

    def forward(self, x):
        out = x
        for norm, conv in zip(self.norms, self.convs, strict=True):
            out = conv(relu(norm(out)))
        return x + out


class GatedBlock(nn.Module):
    """A branch that ends in squeeze and excitation, with a projection as its shortcut."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.squeeze = nn.Linear(outputs, 2)
        self.excite = nn.Linear(2, outputs)
        self.project = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x):
        out = self.conv2(relu(self.norm(self.conv1(x))))
        gate = self.excite(relu(self.squeeze(out.mean((2, 3)))))
        out = out * torch.sigmoid(gate)[:, :, None, None]
        out += self.project(x)
        return relu(out)


class ValueBlock(nn.Module):
    """A branch that Python takes or leaves by a value: symbolic tracing cannot follow."""

    def __init__(self, width):
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)

    def forward(self, x):
        if x.sum() > 1e30:
            return x
        return x + self.second(relu(self.first(x)))


class Net(nn.Module):
    """Stem, blocks, pooling, classifier."""

    def __init__(self, *blocks, width=6, outputs=None):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(outputs or width, 5)

    def forward(self, x):
        return self.head(self.blocks(relu(self.stem(x))).mean((2, 3)))


def images(count=2, size=8):
    generator = torch.Generator().manual_seed(3)
    return torch.randn(count, 3, size, size, generator=generator)


def losses_of(model, images, labels, steps, optimizer=None):
    """The losses of so many steps on one batch; without an optimizer by SGD, as Fixup trains."""
    if optimizer is None:
        optimizer = torch.optim.SGD(fixup_param_groups(model, 0.05), momentum=0.9)
    losses = []
    for _ in range(steps):
        loss = cross_entropy(model(images), labels)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses
