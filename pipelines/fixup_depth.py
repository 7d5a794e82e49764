"""10 to 10,000 layers without normalisation (Zhang, Dauphin & Ma, ICLR 2019, figure 3).

    python pipelines/fixup_depth.py [--depths 10 100 1000 10000] [--seeds 3] [--steps 50]

Residual networks of `depth` convolutions are trained for a few dozen steps of plain SGD on
CIFAR-10 (8x8 maps, 8 channels, so that 10,000 layers fit a laptop) with the standard
initialisation, with BatchNorm, and with Fixup, whose scalars learn at a tenth of the learning
rate (the paper's appendix) or at the rate of `scalar_lr_ratio="depth"`. Every run is cached as
JSON, so that the script may be stopped and restarted; it draws fixup_depth.svg.
"""

import argparse
import json
import math
import os
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy, relu

import curate
from curate.nn import checkpoint_, diagnose, fixup_, fixup_param_groups

ARMS = ("standard", "batchnorm", "fixup, scalars lr/10", "fixup, scalars by depth")
WIDTH, BATCH, HELD_OUT = 8, 16, 256
LEARNING_RATE, MOMENTUM = 0.03, 0.9
DIVERGED = 20.0


class Block(nn.Module):
    def __init__(self, norm: bool):
        super().__init__()
        self.conv1 = nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(WIDTH) if norm else nn.Identity()
        self.conv2 = nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(WIDTH) if norm else nn.Identity()
        for conv in (self.conv1, self.conv2):
            nn.init.kaiming_normal_(conv.weight, mode="fan_out")

    def forward(self, x: Tensor) -> Tensor:
        inner = relu(self.norm1(self.conv1(x)))
        return relu(x + self.norm2(self.conv2(inner)))


class ResNet(nn.Module):
    """``depth`` convolutions in depth / 2 residual blocks, between a stem and a classifier."""

    def __init__(self, depth: int, norm: bool):
        super().__init__()
        self.stem = nn.Conv2d(3, WIDTH, 3, padding=1)
        self.blocks = nn.Sequential(*(Block(norm) for _ in range(depth // 2)))
        self.classifier = nn.Linear(WIDTH, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.blocks(relu(self.stem(x))).mean((2, 3)))


def prepared(arm: str, depth: int) -> tuple[ResNet, list[dict]]:
    """The network of an arm and its parameter groups."""
    model = ResNet(depth, norm=arm == "batchnorm")
    if not arm.startswith("fixup"):
        return model, [{"params": list(model.parameters()), "lr": LEARNING_RATE}]
    fixup_(model, verbose=False)
    ratio = "depth" if arm == ARMS[3] else 0.1
    return model, fixup_param_groups(model, LEARNING_RATE, scalar_lr_ratio=ratio)


def images(folder: str | None) -> dict[str, tuple[Tensor, Tensor]]:
    """CIFAR-10 at 8x8 pixels, normalised."""
    splits = {}
    for split in ("train", "test"):
        loaded = curate.data.load("cifar10", split, folder)
        values = torch.cat([avg_pool2d(v.float(), 4) for v in loaded.values.split(5000)])
        splits[split] = (values, torch.as_tensor(loaded.labels))
    mean = splits["train"][0].mean((0, 2, 3), keepdim=True)
    std = splits["train"][0].std((0, 2, 3), keepdim=True)
    return {split: ((x - mean) / std, y) for split, (x, y) in splits.items()}


@torch.no_grad()
def held_out(model: nn.Module, data: tuple[Tensor, Tensor]) -> tuple[float, float]:
    """Loss and accuracy on the first images of the test set, in the mode of training."""
    logits = model(data[0][:HELD_OUT])
    labels = data[1][:HELD_OUT]
    return cross_entropy(logits, labels).item(), (logits.argmax(1) == labels).double().mean().item()


def train(
    arm: str,
    depth: int,
    seed: int,
    steps: int,
    data: dict[str, tuple[Tensor, Tensor]],
    checkpointed: bool,
    progress: Progress,
) -> dict:
    """One run: the loss of every step, and of held-out images before and after."""
    torch.manual_seed(seed)
    model, groups = prepared(arm, depth)
    if checkpointed:
        checkpoint_(model)
    optimizer = torch.optim.SGD(groups, momentum=MOMENTUM)
    inputs, labels = data["train"]
    before, _ = held_out(model, data["test"])
    losses, start = [], time.perf_counter()
    bar = progress.add_task(f"{arm}, depth {depth:,}, seed {seed}", total=steps)
    for _ in range(steps):
        chosen = torch.randint(len(inputs), (BATCH,))
        loss = cross_entropy(model(inputs[chosen]), labels[chosen])
        losses.append(loss.item())
        if not losses[-1] < DIVERGED:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        progress.advance(bar)
    progress.remove_task(bar)
    seconds = (time.perf_counter() - start) / len(losses)
    after, accuracy = held_out(model, data["test"])
    return {
        "arm": arm, "depth": depth, "seed": seed, "losses": losses, "held_out_before": before,
        "held_out_after": after, "accuracy": accuracy, "seconds_a_step": seconds,
    }  # fmt: skip


def cached_run(path: Path, *arguments, **keywords) -> dict:
    """One run, read from its file, or trained and written to it atomically."""
    if path.exists():
        return json.loads(path.read_text())
    run = train(*arguments, **keywords)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(run))
    os.replace(partial, path)
    return run


def figure(runs: list[dict], depths: list[int]) -> str:
    """The paper's figure: held-out loss after training by depth, one line per arm, as SVG."""
    width, height, left, top = 560, 320, 56, 24
    low, high = 2.0, 2.8
    colours = ("#c0392b", "#7f8c8d", "#e69f00", "#0072b2")

    def position(depth: int, loss: float) -> tuple[float, float]:
        span = math.log10(depths[-1] / depths[0]) or 1.0
        x = left + (width - left - 150) * math.log10(depth / depths[0]) / span
        loss = min(loss, high) if math.isfinite(loss) else high
        return x, top + (height - top - 44) * (high - loss) / (high - low)

    parts = [f'<rect width="{width}" height="{height}" fill="#fff"/>']
    for loss in (2.0, 2.2, math.log(10), 2.4, 2.6, 2.8):
        x, y = position(depths[-1], loss)
        label = "chance" if loss == math.log(10) else f"{loss:.1f}"
        dash = ' stroke-dasharray="4 3"' if label == "chance" else ""
        parts.append(f'<path d="M{left} {y:.1f}H{x:.1f}" stroke="#ccc"{dash}/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    for depth in depths:
        x, _ = position(depth, low)
        parts.append(f'<text x="{x:.1f}" y="{height - 26}" text-anchor="middle">{depth:,}</text>')
    parts.append(f'<text x="{left}" y="{height - 8}">layers</text>')
    parts.append(
        f'<text x="{left}" y="14">held-out loss after training ({high} and above: top)</text>'
    )
    for arm, colour in zip(ARMS, colours, strict=True):
        means = []
        for depth in depths:
            values = [r["held_out_after"] for r in runs if (r["arm"], r["depth"]) == (arm, depth)]
            if values:
                finite = all(math.isfinite(v) for v in values)
                means.append(position(depth, sum(values) / len(values) if finite else math.inf))
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in means)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in means]
        y = top + 18 * (ARMS.index(arm) + 1)
        parts.append(f'<text x="{width - 140}" y="{y}" fill="{colour}">{arm}</text>')
    body = "".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="11">{body}</svg>\n'
    )


def summary(runs: list[dict], depths: list[int]) -> Table:
    table = Table(title=f"SGD, lr {LEARNING_RATE}, momentum {MOMENTUM}, batch {BATCH}")
    table.add_column("init")
    for column in ("layers", "seeds", "steps", "loss before", "after", "highest", "below start",
                   "accuracy", "s per step"):  # fmt: skip
        table.add_column(column, justify="right")
    for arm in ARMS:
        for depth in depths:
            chosen = [r for r in runs if (r["arm"], r["depth"]) == (arm, depth)]
            if not chosen:
                continue
            count = len(chosen)
            mean = {
                key: sum(r[key] for r in chosen) / count
                for key in ("held_out_before", "held_out_after", "accuracy", "seconds_a_step")
            }
            highest = max(
                loss if loss == loss else math.inf for r in chosen for loss in r["losses"]
            )
            below = sum(r["held_out_after"] < r["held_out_before"] for r in chosen)
            steps = min(len(r["losses"]) for r in chosen)
            table.add_row(
                arm, f"{depth:,}", str(count), str(steps), f"{mean['held_out_before']:.3g}",
                f"{mean['held_out_after']:.3f}", f"{highest:.3g}", f"{below} of {count}",
                f"{mean['accuracy']:.1%}", f"{mean['seconds_a_step']:.2f}",
            )  # fmt: skip
    return table


def updates(depths: list[int], data: tuple[Tensor, Tensor]) -> Table:
    """How far each of four steps of plain SGD moves the outputs, over the learning rate."""
    table = Table(title="root mean square change of the outputs in a step, over the learning rate")
    for column in ("layers", "scalars", "step 1", "step 2", "step 3", "step 4"):
        table.add_column(column, justify="right")
    batch = data[0][:32], data[1][:32]
    for depth in depths:
        for label, ratio in (("lr/10", 0.1), ("by depth", "depth")):
            torch.manual_seed(0)
            model = ResNet(depth, norm=False)
            fixup_(model, verbose=False)
            report = diagnose(model, batch, lr=LEARNING_RATE, scalar_lr_ratio=ratio, steps=4)
            shown = [f"{update / LEARNING_RATE:.3f}" for update in report.updates]
            table.add_row(f"{depth:,}", label, *shown)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depths", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--updates", action="store_true", help="only the size of the first steps")
    parser.add_argument("--checkpoint", action="store_true", help="a third of the memory")
    parser.add_argument("--data", help="folder with a local copy of cifar10")
    parser.add_argument("--out", type=Path, default=Path("fixup_depth"), help="cache and figure")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    depths = sorted(arguments.depths)
    data, runs = images(arguments.data), []
    if arguments.updates:
        Console(width=120).print(updates(depths, data["train"]))
        return
    plan = [(arm, depth, seed) for seed in range(arguments.seeds)
            for depth in depths for arm in arguments.arms]  # fmt: skip
    with Progress(transient=True) as progress:
        bar = progress.add_task("runs", total=len(plan))
        for arm, depth, seed in plan:
            name = f"{arm.replace(', ', '-').replace(' ', '_').replace('/', '')}"
            path = arguments.out / f"{name}-{depth}-{arguments.steps}-{seed}.json"
            keywords = {"checkpointed": arguments.checkpoint, "progress": progress}
            runs.append(cached_run(path, arm, depth, seed, arguments.steps, data, **keywords))
            progress.advance(bar)
    Console(width=120).print(summary(runs, depths))
    svg = arguments.out / "fixup_depth.svg"
    svg.write_text(figure(runs, depths))
    print(f"figure: {svg}")


if __name__ == "__main__":
    main()
