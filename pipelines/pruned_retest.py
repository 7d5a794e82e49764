"""Does pruning cost more on a new test set than on the old one? CIFAR-10, live.

    python pipelines/pruned_retest.py RUN [--full RUN] [--data FOLDER]

RUN is the folder of a ``curate run`` or of ``benchmarks/removal.py`` on CIFAR-10 that kept its
networks: one arm "all", and pruned arms of the same seeds (``--full``: "all" lies there). They,
and pretrained ResNets, answer on CIFAR-10's test set (JPEG, as they were trained; the ResNets were
trained on lossless images), on its first 1,000 images without loss, and on a second set: Tiny
ImageNet's images of six of the classes, shrunk to 32×32. Costs are per cent of the images of the
shared classes, mean of the seeds, with a 95 % interval over images.
"""

import argparse
import os
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

import curate
from curate.retest import accuracy_gap, predict
from curate.train import load_model, logits_of

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
Batches = list[tuple[Tensor, Tensor]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--full", type=Path, help='folder of the arm "all"; RUN')
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("CURATE_DATA", "")))
    options = parser.parse_args()
    sets = {
        "JPEG": jpeg(options.data),
        "lossless": lossless(options.data),
        "Tiny ImageNet": tiny(options.data),
    }
    trained = networks(options.run) | networks(options.full or options.run, "all")
    arms = defaultdict(dict)
    for (arm, seed), model in trained.items():
        arms[arm][seed] = model
    models = {f"{arm} {seed}": model for (arm, seed), model in trained.items()}
    models |= {f"ResNet-{depth}": pretrained(options.data, depth) for depth in (20, 56)}
    answers = {name: predict(models, batches) for name, batches in sets.items()}
    for old in ("JPEG", "lossless"):
        print(f"{old} and Tiny ImageNet, the classes that both have:")
        gap = accuracy_gap(answers[old], answers["Tiny ImageNet"], classes="shared")
        print(gap, end="\n\n")
    shared = np.unique(answers["Tiny ImageNet"]["label"])
    print(f"{'arm':24} seeds  cost on the old set  on the new one  difference")
    for arm in sorted(set(arms) - {"all"}):
        seeds = sorted(set(arms[arm]) & set(arms["all"]))
        if not seeds:
            continue
        costs = [cost(answers[name], arm, seeds, shared) for name in ("JPEG", "Tiny ImageNet")]
        (old_mean, old_error), (new_mean, new_error) = costs
        error = 1.96 * float(np.hypot(old_error, new_error))
        more = new_mean - old_mean
        print(
            f"{arm:24} {len(seeds):5}  {old_mean:6.2f}             {new_mean:6.2f}          "
            f"{more:+.2f} ({more - error:+.2f} to {more + error:+.2f})"
        )


def cost(table, arm: str, seeds: list[int], classes: np.ndarray) -> tuple[float, float]:
    """Points lost against all examples, and their standard error over images."""
    labels = table["label"].to_numpy()
    right = {
        name: np.mean([table[f"{name} {seed}"].to_numpy() == labels for seed in seeds], 0)
        for name in ("all", arm)
    }
    lost = 100 * (right["all"] - right[arm])[np.isin(labels, classes)]
    return float(lost.mean()), float(lost.std(ddof=1) / len(lost) ** 0.5)


def networks(folder: Path, only: str | None = None) -> dict[tuple[str, int], Callable]:
    found = {}
    for path in sorted(folder.glob("models/arm=*/seed=*.pt")):
        arm, seed = path.parent.name.removeprefix("arm="), int(path.stem.removeprefix("seed="))
        if only in (None, arm):
            found[arm, seed] = partial(logits_of, load_model(folder, arm, seed))
    if not found:
        raise SystemExit(f"no networks in {folder}/models: name a run that kept them")
    return found


def batches(images: Tensor, labels: np.ndarray) -> Batches:
    return list(zip(images.split(500), torch.as_tensor(labels).split(500), strict=True))


def jpeg(data: Path) -> Batches:
    test = curate.data.load("cifar10", "test", data)
    return batches(curate.features.pixels(test, 32), test.labels)


def lossless(data: Path) -> Batches:
    place = data / "cifar10-lossless-5k" / "cifar10_batch_50.png"
    pixels = np.array(Image.open(place).convert("RGB")).reshape(1000, 32, 32, 3)
    labels = np.load(data / "cifar10-labels" / "cifar10_labels_orig_order.npz")["test"][:1000]
    return batches(torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), labels)


def tiny(data: Path) -> Batches:
    place = data / "natural-images" / "tiny_imagenet_cifar10_overlap_64.parquet"
    view = curate.data.parquet(place)
    names = [view.class_names[label].split("/")[0] for label in view.labels]
    images = curate.features.pixels(view, 64).float()
    small = interpolate(images, (32, 32), mode="bilinear", antialias=True).round().byte()
    return batches(small, np.array([CLASSES.index(name) for name in names]))


class Block(nn.Module):
    """Two convolutions and a shortcut without weights (He et al., 2016, option A)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.stride, self.more = stride, (after - before) // 2

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        short = x[:, :, :: self.stride, :: self.stride]
        return (y + pad(short, (0, 0, 0, 0, self.more, self.more))).relu()


class ResNet(nn.Module):
    """For 32×32 images (He et al., 2016, section 4.2), of uint8 ones."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        width = 16
        for stage, after in enumerate((16, 32, 64), 1):
            blocks = []
            for block in range((depth - 2) // 6):
                blocks.append(Block(width, after, 1 if block or stage == 1 else 2))
                width = after
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))
        x = self.bn1(self.conv1((images.float() / 255 - mean) / std)).relu()
        return self.linear(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


def pretrained(data: Path, depth: int) -> nn.Module:
    place = next((data / "pretrained-cifar10-resnet").glob(f"resnet{depth}-*.th"))
    state = torch.load(place, map_location="cpu", weights_only=True)["state_dict"]
    model = ResNet(depth)
    model.load_state_dict({key.removeprefix("module."): value for key, value in state.items()})
    return model


if __name__ == "__main__":
    main()
