"""ResNet-110 on CIFAR-10 with BatchNorm, Fixup, and Fixup + mixup (Zhang et al., ICLR 2019).

    python pipelines/fixup_cifar.py [--arm fixup] [--minutes 9] [--out FOLDER]

The paper's table 1 at learning rate 0.1 (errors of 6.6 % with BatchNorm and 7.2 % with Fixup).
Meant for a GPU. The state is saved after every epoch, so that a run can be cut into slices of
a few minutes: repeat the same command until it says that all epochs are done. On a CPU
`--epochs 1 --steps 3` shows that it works.
"""

import argparse
import json
import os
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy, pad, relu

import curate
from curate.nn import fixup_param_groups, fixup_resnet_cifar

ARMS = ("batchnorm", "fixup", "fixup + mixup")
BATCH, MOMENTUM, LEARNING_RATE, WEIGHT_DECAY, BORDER = 128, 0.9, 0.1, 5e-4, 4


class NormBlock(nn.Module):
    """The block of He et al., with the shortcut without parameters (their option A)."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.stride, self.widen = stride, outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        out = self.norm2(self.conv2(relu(self.norm1(self.conv1(x)))))
        if self.stride > 1:
            x = avg_pool2d(x, 1, self.stride)
        return relu(out + pad(x, (0, 0, 0, 0, 0, self.widen)))


def batchnorm_resnet(depth: int) -> nn.Module:
    blocks, channels = [], 16
    for stage, outputs in enumerate((16, 32, 64)):
        for index in range((depth - 2) // 6):
            blocks.append(NormBlock(channels, outputs, 2 if stage and not index else 1))
            channels = outputs
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), *blocks,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return model


def prepared(arm: str, depth: int) -> tuple[nn.Module, list[dict]]:
    if arm == "batchnorm":
        model = batchnorm_resnet(depth)
        return model, [{"params": list(model.parameters()), "lr": LEARNING_RATE}]
    model = fixup_resnet_cifar(depth)
    return model, fixup_param_groups(model, LEARNING_RATE, WEIGHT_DECAY, scalar_lr_ratio="depth")


def images(folder: str | None, device: str) -> dict[str, tuple[Tensor, Tensor]]:
    """CIFAR-10 on the device, normalised by the training set's channels."""
    splits = {}
    for split in ("train", "test"):
        loaded = curate.data.load("cifar10", split, folder)
        splits[split] = (loaded.values.to(device), torch.as_tensor(loaded.labels, device=device))
    pixels = splits["train"][0]
    mean = torch.stack([pixels[:, c].float().mean() for c in range(3)]).view(1, 3, 1, 1)
    std = torch.stack([pixels[:, c].float().std() for c in range(3)]).view(1, 3, 1, 1)
    return {split: ((x.float() - mean) / std, y) for split, (x, y) in splits.items()}


def augmented(x: Tensor) -> Tensor:
    """Random crops after padding with zeros, half of them mirrored."""
    n, _, height, width = x.shape
    padded = pad(x, (BORDER,) * 4).permute(0, 2, 3, 1)
    top, left = torch.randint(0, 2 * BORDER + 1, (2, n, 1), device=x.device)
    rows = top + torch.arange(height, device=x.device)
    columns = left + torch.arange(width, device=x.device)
    mirrored = torch.rand(n, 1, device=x.device) < 0.5
    columns = torch.where(mirrored, columns.flip(1), columns)
    example = torch.arange(n, device=x.device).view(n, 1, 1)
    return padded[example, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def mixup_loss(model: nn.Module, x: Tensor, y: Tensor, alpha: float) -> Tensor:
    """Cross-entropy of mixed images and labels (Zhang et al., ICLR 2018)."""
    share = torch.distributions.Beta(alpha, alpha).sample().item()
    order = torch.randperm(len(x), device=x.device)
    logits = model(share * x + (1 - share) * x[order])
    return share * cross_entropy(logits, y) + (1 - share) * cross_entropy(logits, y[order])


def rate(epoch: int, epochs: int) -> float:
    """A tenth after half of the epochs, and again after three quarters."""
    return 0.1 ** ((epoch >= epochs / 2) + (epoch >= 3 * epochs / 4))


@torch.no_grad()
def error_of(model: nn.Module, data: tuple[Tensor, Tensor], limit: int | None) -> float:
    model.eval()
    wrong, total = 0, 0
    for x, y in list(zip(data[0].split(1000), data[1].split(1000), strict=True))[:limit]:
        wrong += (model(x).argmax(1) != y).sum().item()
        total += len(y)
    model.train()
    return wrong / total


def train(arm: str, arguments: argparse.Namespace, data: dict, stop: float) -> list[dict]:
    """Epochs from where the saved state is until the last one or the time is up."""
    path = arguments.out / f"{arm.replace(' ', '')}-{arguments.depth}-{arguments.seed}.pt"
    torch.manual_seed(arguments.seed)
    model, groups = prepared(arm, arguments.depth)
    model = model.to(arguments.device)
    optimizer = torch.optim.SGD(groups, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    peaks = [group["lr"] for group in optimizer.param_groups]
    history: list[dict] = []
    if path.exists():
        state = torch.load(path, map_location=arguments.device, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        history = state["history"]
    inputs, labels = data["train"]
    with Progress(transient=True) as progress:
        bar = progress.add_task(arm, total=arguments.epochs, completed=len(history))
        while len(history) < arguments.epochs and time.monotonic() < stop:
            start, epoch = time.monotonic(), len(history)
            torch.manual_seed(arguments.seed * 10_000 + epoch)  # a resumed run is the same run
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * rate(epoch, arguments.epochs)
            total, order = 0.0, torch.randperm(len(inputs), device=inputs.device)
            batches = order.split(BATCH)[: arguments.steps]
            for chosen in batches:
                x, y = augmented(inputs[chosen]), labels[chosen]
                if arm == "fixup + mixup":
                    loss = mixup_loss(model, x, y, arguments.alpha)
                else:
                    loss = cross_entropy(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.detach()
            history.append({
                "epoch": epoch + 1, "loss": float(total) / len(batches),
                "test_error": error_of(model, data["test"], arguments.steps),
                "seconds": time.monotonic() - start,
            })  # fmt: skip
            save(path, {"model": model.state_dict(), "optimizer": optimizer.state_dict(),
                        "history": history})  # fmt: skip
            progress.advance(bar)
    return history


def save(path: Path, state: dict) -> None:
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)
    path.with_suffix(".json").write_text(json.dumps(state["history"], indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arm", choices=ARMS, action="append", help="default: all three")
    parser.add_argument("--depth", type=int, default=110)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--steps", type=int, help="batches per epoch; default: all")
    parser.add_argument("--alpha", type=float, default=1.0, help="of mixup")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=9.0, help="stop after the epoch then")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--data", help="folder with a local copy of cifar10")
    parser.add_argument("--out", type=Path, default=Path("fixup_cifar"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    stop = time.monotonic() + 60 * arguments.minutes
    data = images(arguments.data, arguments.device)
    table = Table(title=f"ResNet-{arguments.depth} on CIFAR-10, learning rate {LEARNING_RATE}")
    for column in ("arm", "epochs", "loss", "test error", "s per epoch"):
        table.add_column(column, justify="right")
    for arm in arguments.arm or ARMS:
        history = train(arm, arguments, data, stop)
        if history:
            last = history[-1]
            table.add_row(arm, f"{len(history)} of {arguments.epochs}", f"{last['loss']:.3f}",
                          f"{last['test_error']:.2%}", f"{last['seconds']:.1f}")  # fmt: skip
        else:
            table.add_row(arm, f"0 of {arguments.epochs}", "", "", "")
    Console().print(table)


if __name__ == "__main__":
    main()
