"""Fixup: finding and initialising 10,000 layers, and per-example gradients without BatchNorm.

    python benchmarks/fixup.py [--quick]

Prints the tables of docs/benchmarks.md, 'Fixup'. One thread; contestants take turns, figures are
medians.
"""

import argparse
import platform
import time
from collections.abc import Callable

import torch
from measure import medians
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, relu

from curate.nn import fixup_, fixup_resnet_cifar
from curate.scores import grand


class Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return relu(x + self.norm2(self.conv2(relu(self.norm1(self.conv1(x))))))


class Deep(nn.Module):
    def __init__(self, convolutions: int, width: int = 8):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(convolutions // 2)))
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(relu(self.stem(x))).mean((2, 3)))


def finding(convolutions: int) -> Table:
    """CPU seconds, once each: a model is found and changed only once."""
    table = Table(title=f"fixup_ on a residual network of {convolutions:,} convolutions")
    for column in ("how the branches are found", "branches", "CPU s", "goal"):
        table.add_column(column, justify="right")
    ways = {
        "torch.fx (default)": {},
        "named: branches=['blocks.*']": {"branches": ["blocks.*"]},
        "one forward pass: example_inputs=": {"example_inputs": torch.randn(1, 3, 4, 4)},
    }
    start = time.process_time()
    Deep(convolutions)
    table.add_row("building the network (for scale)", "", f"{time.process_time() - start:.1f}", "")
    for name, keywords in ways.items():
        model = Deep(convolutions)
        start = time.process_time()
        report = fixup_(model, verbose=False, **keywords)  # type: ignore[arg-type]
        seconds = time.process_time() - start
        table.add_row(name, f"{report.num_branches:,}", f"{seconds:.1f}", "<= 15")
    return table


def one_by_one(model: nn.Module, images: Tensor, labels: Tensor) -> list[float]:
    """The norm of each example's gradient, one backward pass an example."""
    parameters, norms = list(model.parameters()), []
    for index in range(len(images)):
        chosen = slice(index, index + 1)
        loss = cross_entropy(model(images[chosen]), labels[chosen])
        gradients = torch.autograd.grad(loss, parameters)
        norms.append(torch.stack([g.square().sum() for g in gradients]).sum().sqrt().item())
    return norms


def mean_gradient(model: nn.Module, images: Tensor, labels: Tensor) -> None:
    torch.autograd.grad(cross_entropy(model(images), labels), list(model.parameters()))


def per_example(repeats: int, count: int) -> Table:
    table = Table(title=f"GraNd of {count} images: torch.func against one backward pass an example")
    columns = ("Fixup network", "images", "one by one, ms", "torch.func, ms", "ratio", "goal",
               "mean gradient, ms", "largest difference")  # fmt: skip
    for column in columns:
        table.add_column(column, justify="right")
    cases = {
        "10 layers, width 8": (8, Deep(10)),
        "100 layers, width 8": (8, Deep(100)),
        "ResNet-110, width 8": (16, fixup_resnet_cifar(110, width=8)),
        "ResNet-20": (16, fixup_resnet_cifar(20)),
        "ResNet-20 ": (32, fixup_resnet_cifar(20)),
    }
    for name, (size, model) in cases.items():
        if isinstance(model, Deep):
            fixup_(model, verbose=False)
        model.eval()
        for parameter in model.parameters():  # as after some training: no gradient is zero
            nn.init.normal_(parameter, std=0.03)
        images, labels = torch.randn(count, 3, size, size), torch.randint(0, 10, (count,))
        contestants: dict[str, Callable[[], object]] = {
            "loop": lambda m=model, x=images, y=labels: one_by_one(m, x, y),
            "func": lambda m=model, x=images, y=labels: grand(m, x, y, chunk_size=64),
            "mean": lambda m=model, x=images, y=labels: mean_gradient(m, x, y),
        }
        seconds = medians(contestants, repeats)
        slow = torch.tensor(one_by_one(model, images, labels), dtype=torch.float64)
        difference = (torch.as_tensor(grand(model, images, labels)) / slow - 1).abs().max()
        table.add_row(
            name, f"{size}x{size}", f"{seconds['loop'] * 1e3:.0f}", f"{seconds['func'] * 1e3:.0f}",
            f"{seconds['loop'] / seconds['func']:.1f}x", ">= 5x", f"{seconds['mean'] * 1e3:.0f}",
            f"{difference:.0e}",
        )  # fmt: skip
    return table


def step(model: nn.Module, images: Tensor, labels: Tensor) -> Callable[[], None]:
    optimizer = torch.optim.SGD(model.parameters(), 0.01)

    def run() -> None:
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        optimizer.step()

    return run


def training_step(repeats: int) -> Table:
    table = Table(title="a training step, ResNet of 18 convolutions, width 16, batch 64, 32x32")
    for column in ("network", "ms", "/ BatchNorm"):
        table.add_column(column, justify="right")
    images, labels = torch.randn(64, 3, 32, 32), torch.randint(0, 10, (64,))
    fixed, bare = Deep(18, 16), Deep(18, 16)
    fixup_(fixed, verbose=False)
    fixup_(bare, scalars=False, verbose=False)
    contestants = {
        "BatchNorm": step(Deep(18, 16), images, labels),
        "Fixup": step(fixed, images, labels),
        "Fixup without scalars": step(bare, images, labels),
    }
    seconds = medians(contestants, repeats)
    for name, value in seconds.items():
        table.add_row(name, f"{value * 1e3:.0f}", f"{value / seconds['BatchNorm']:.2f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="1,000 layers, everything once")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    torch.manual_seed(0)
    console = Console(width=120)
    tables = []
    for part in track(["finding", "per example", "step"], "measuring", transient=True):
        if part == "finding":
            tables.append(finding(1000 if quick else 10_000))
        elif part == "per example":
            tables.append(per_example(1 if quick else 7, 64))
        else:
            tables.append(training_step(1 if quick else 9))
    processor = platform.processor() or platform.machine()
    console.print(f"torch {torch.__version__}, {processor}, 1 thread")
    console.print(*tables)


if __name__ == "__main__":
    main()
