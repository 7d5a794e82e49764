"""How fast does the reference trainer train its net for colour images, on one thread?

    python benchmarks/training.py [--steps 12] [--repeats 3]

One step is 250 images of 32×32 pixels. The floor is what the machine gives for the convolutions
of the net alone, forward and backward, in the same precision. Beside it the residual net that was
the default before, and a plain eager loop of the new net without the library: no recorder, no
augmentation, no schedule. All take turns; rates are medians.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.nn.functional import conv2d, cross_entropy

import curate
from curate.train import build, settings_for, train

BATCH = 250
SHAPES = ((3, 24, 31, 2), (24, 64, 31, 3), (64, 64, 15, 3), (64, 128, 15, 3), (128, 128, 7, 3),
          (128, 128, 7, 3), (128, 128, 3, 3))  # fmt: skip
"""Inputs, outputs, output side and kernel side of the net's convolutions."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    images = torch.randint(0, 256, (BATCH * given.steps, 3, 32, 32), dtype=torch.uint8)
    labels = torch.randint(0, 10, (len(images),))
    half = settings_for((3, 32, 32), device="cpu")
    work = 3 * sum(2 * i * o * k * k * side * side for i, o, side, k in SHAPES) * BATCH
    contestants: dict[str, Callable[[], float]] = {
        "floor: the convolutions alone": lambda: convolutions(given.steps),
        "ours, recording and augmenting": lambda: ours(images, labels, half, given.steps),
        "plain eager loop, same net": lambda: eager(build("cnn", (3, 32, 32), 10), images, labels),
        "the residual net of before": lambda: eager(residual(), images, labels),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(given.repeats):
        for name, run in contestants.items():
            seconds[name].append(run() / given.steps)
    table = Table(title="one thread, bfloat16 where the processor has it")
    for column in ("", "ms a step", "images/s", "TFLOP/s", "of the floor"):
        table.add_column(column, justify="left" if column == "" else "right")
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    floor = next(iter(medians.values()))
    for name, median in medians.items():
        other = name.startswith("the residual")
        rate = ["", ""] if other else [f"{work / median / 1e12:.3f}", f"{floor / median:.0%}"]
        table.add_row(name, f"{1000 * median:,.0f}", f"{BATCH / median:,.0f}", *rate)
    Console(width=110).print(table)


def convolutions(steps: int) -> float:
    """Forward and backward of every convolution of the net; the first has no input gradient."""
    half = getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()
    dtype = torch.bfloat16 if half else torch.float32
    layout = {"memory_format": torch.channels_last}
    cases = []
    for number, (inputs, outputs, side, kernel) in enumerate(SHAPES):
        pad = 0 if kernel == 2 else 1
        size = side + 1 if kernel == 2 else side
        x = torch.randn(BATCH, inputs, size, size, dtype=dtype).contiguous(**layout)
        weight = torch.randn(outputs, inputs, kernel, kernel, dtype=dtype).contiguous(**layout)
        x.requires_grad_(number > 1)
        weight.requires_grad_(number > 0)
        cases.append((x, weight, pad, torch.randn(BATCH, outputs, side, side, dtype=dtype)))
    start = time.perf_counter()
    for _ in range(steps):
        for x, weight, pad, gradient in cases:
            y = conv2d(x, weight, padding=pad)
            if y.requires_grad:
                y.backward(gradient)
    return time.perf_counter() - start


def ours(images: torch.Tensor, labels: torch.Tensor, settings: object, steps: int) -> float:
    recorder = curate.Recorder(len(images))
    start = time.perf_counter()
    train(images, labels, 10, replace(settings, steps=steps), 0, recorder=recorder)
    return time.perf_counter() - start


def eager(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    model = model.to(memory_format=torch.channels_last)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1, momentum=0.9, nesterov=True)
    half = getattr(torch.cpu, "_is_avx512_bf16_supported", bool)()
    start = time.perf_counter()
    for x, y in zip(images.split(BATCH), labels.split(BATCH), strict=True):
        inputs = (x.float() / 255).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            logits = model(inputs)
        optimizer.zero_grad()
        cross_entropy(logits.float(), y).backward()
        optimizer.step()
    return time.perf_counter() - start


class Residual(nn.Module):
    """Two convolutions beside an identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(*convolution(width, width), *convolution(width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.branch(x)


def convolution(inputs: int, outputs: int) -> list[nn.Module]:
    kernel = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return [kernel, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def residual() -> nn.Module:
    """The default for colour images until the whitened net: 0.4 million weights."""
    return nn.Sequential(
        *convolution(3, 16), *convolution(16, 32), nn.MaxPool2d(2), Residual(32),
        *convolution(32, 64), nn.MaxPool2d(2), *convolution(64, 128), nn.MaxPool2d(2),
        Residual(128), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(128, 10),
    )  # fmt: skip


if __name__ == "__main__":
    main()
