"""Interpretation of neural networks is fragile (Ghorbani et al., AAAI 2019), on pretrained nets.

    python pipelines/saliency_fragility.py [--net resnet20|squeezenet] [--images 32]
        [--iterations 300] [--methods gradient,deeplift] [--device cuda] [--data FOLDER]
        [--out FOLDER]

CIFAR-10 ResNets on the lossless test images (k = 100), or SqueezeNet on ImageNet photos of 224
pixels (k = 1000), images that they get right only; ε of 1, 2, 4 and 8, steps of 0.5. For each
method: what is left of its maps under the paper's attacks beside random signs, the controls that
fragility needs beside it, and pictures. Each step is written when it is done, to a folder named by
network, images and iterations, and is not done again.
"""

import argparse
import io
import os
import struct
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from curate.report import save_fragility
from curate.saliency import FragilityCurve, fragility, fragility_curve
from curate.table import open_writer

DEPTHS = {"resnet20": 3, "resnet32": 5, "resnet44": 7, "resnet56": 9}
CIFAR = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
METHODS = ("gradient", "deeplift", "integrated_gradients")
OPTIONS = {"integrated_gradients": {"steps": 8}, "smoothgrad": {"samples": 8}}
EPSILONS = (1, 2, 4, 8)  # of 255


class Block(nn.Module):
    """Two convolutions, and a shortcut that drops pixels and adds empty channels (option A)."""

    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.stride, self.empty = stride, (after - before) // 2

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.empty:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.empty, self.empty))
        return F.relu(y + x)


class CifarResNet(nn.Module):
    """He et al., CVPR 2016, section 4.2."""

    def __init__(self, blocks: int):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        widths = [(16, 16, 1), (16, 32, 2), (32, 64, 2)]
        for number, (before, after, stride) in enumerate(widths, 1):
            first = Block(before, after, stride)
            others = (Block(after, after, 1) for _ in range(blocks - 1))
            setattr(self, f"layer{number}", nn.Sequential(first, *others))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.linear(x.mean((2, 3)))


def cifar(data: Path, name: str) -> tuple[nn.Module, Tensor, Tensor]:
    """A pretrained ResNet, and the 1,000 lossless test images with their labels."""
    (file,) = (data / "pretrained-cifar10-resnet").glob(f"{name}-*.th")
    state = torch.load(file, weights_only=True, map_location="cpu")["state_dict"]
    net = CifarResNet(DEPTHS[name])
    net.load_state_dict({key.removeprefix("module."): value for key, value in state.items()})
    rows = np.asarray(Image.open(data / "cifar10-lossless-5k/cifar10_batch_50.png"))
    pixels = torch.from_numpy(rows.reshape(-1, 32, 32, 3).copy()).permute(0, 3, 1, 2)
    labels = np.load(data / "cifar10-labels/cifar10_labels_orig_order.npz")["test"][: len(pixels)]
    return net.eval(), pixels.float() / 255, torch.from_numpy(labels.astype(np.int64))


def squeezenet(data: Path) -> tuple[nn.Module, Tensor, Tensor]:
    """SqueezeNet v1.0 from its compressed weights, and ImageNet photos with their labels."""
    from torchvision.models import squeezenet1_0

    net = squeezenet1_0()
    decode(data / "pretrained-squeezenet/imagenet/compressed_SqueezeNet.net", net)
    table = pq.read_table(data / "natural-images/imagenet_sample512_224.parquet")
    pictures = [
        np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        for content in table["image"].to_pylist()
    ]
    pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    return net.eval(), pixels.float() / 255, torch.tensor(table["label"].to_pylist())


def bgr(pixels: Tensor) -> Tensor:
    """What SqueezeNet was trained on: BGR of 0..255 less its mean."""
    mean = torch.tensor([104.0, 117.0, 123.0]).view(3, 1, 1).to(pixels)
    return pixels.flip(1) * 255 - mean


def decode(path: Path, net: nn.Module) -> None:
    """Fill the 26 convolutions: a code book, biases, codes, and gaps of four bits between them."""
    content, at = path.read_bytes(), 0

    def take(count: int, dtype: str) -> np.ndarray:
        nonlocal at
        values = np.frombuffer(content, dtype, count, at)
        at += values.nbytes
        return values

    counts = struct.unpack("<26I", take(26 * 4, "u1").tobytes())
    layers = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    for layer, count in zip(layers, counts, strict=True):
        book, bias = take(256, "<f4"), take(layer.out_channels, "<f4")
        codes, pairs = take(count, "u1"), take((count - 1) // 2 + 1, "u1")
        gaps = np.stack([pairs & 15, pairs >> 4], 1).ravel()[:count].astype(np.int64)
        weight = np.zeros(layer.weight.numel(), np.float32)
        weight[np.cumsum(gaps + 1) - 1] = book[codes]
        layer.weight.data = torch.from_numpy(weight).view_as(layer.weight)
        layer.bias.data = torch.from_numpy(bias.copy())
    if at != len(content):
        raise SystemExit(f"{path}: {len(content) - at} bytes are left over")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", default="resnet20", choices=(*DEPTHS, "squeezenet"))
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--chunk", type=int, help="images in one pass at most")
    parser.add_argument("--data", help="folder with the pretrained nets and their images")
    parser.add_argument("--out", type=Path, default=Path("runs/saliency_fragility"))
    arguments = parser.parse_args()
    data = Path(arguments.data or os.environ.get("CURATE_DATA", ""))
    if not (data / "pretrained-cifar10-resnet").is_dir():
        raise SystemExit(f"no pretrained nets in {str(data)!r}: name the data by --data")

    # The images: those that the network gets right.
    if arguments.net == "squeezenet":
        (net, pixels, labels), normalise, k = squeezenet(data), bgr, 1000
    else:
        (net, pixels, labels), normalise, k = cifar(data, arguments.net), CIFAR, 100
    torch.backends.cudnn.allow_tf32 = False  # whose ten bits are too few for a map's small pixels
    net, pixels, labels = (part.to(arguments.device) for part in (net, pixels, labels))
    layout = torch.contiguous_format
    if arguments.net == "squeezenet" and arguments.device == "cpu":
        layout = torch.channels_last  # a step in two thirds of the time
    net, pixels = net.to(memory_format=layout), pixels.contiguous(memory_format=layout)
    taken = pixels[: 3 * arguments.images]
    right = (predicted(net, taken, normalise) == labels[: len(taken)]).nonzero()[:, 0]
    print(f"{arguments.net}: {len(right)} of {len(taken)} images right", flush=True)
    right = right[: arguments.images]
    pixels, labels = pixels[right], labels[right]
    folder = arguments.out / f"{arguments.net}_{len(right)}x{arguments.iterations}"
    folder.mkdir(parents=True, exist_ok=True)
    chunk = arguments.chunk or chunk_of(arguments.net, arguments.device)
    terms = {"k": k, "iterations": arguments.iterations, "normalise": normalise, "chunk": chunk}

    # At ε = 8: controls, certificates, pictures, and columns for the example table.
    methods = arguments.methods.split(",")
    for method in methods:
        place = folder / method
        if (place / "report.html").exists():  # is written last
            continue
        start = time.perf_counter()
        found = fragility(
            net,
            pixels,
            method,
            example_ids=right.tolist(),
            labels=labels,
            options=OPTIONS.get(method),
            certify=(0.15, 0.25),
            **terms,
        )
        place.mkdir(exist_ok=True)
        (place / "summary.txt").write_text(f"{found}\n")
        found.plot().savefig(place / "maps.png", dpi=110)
        save_fragility(place, found, title=f"{method} of {arguments.net}")
        report(f"{method}, audit at ε = 8", start)

    # What is left of each method's maps as ε grows (figures 3 and 4), beside random signs.
    parts = []
    for method in methods:
        for epsilon in EPSILONS:
            path = folder / method / f"epsilon{epsilon}.parquet"
            if not path.exists():
                start = time.perf_counter()
                curve = fragility_curve(
                    net, pixels, [method], epsilons=[epsilon / 255], options=OPTIONS, **terms
                )
                with open_writer(path, curve.table.schema) as writer:
                    writer.write_table(curve.table)
                report(f"{method}, attacks at ε = {epsilon}", start)
            parts.append(pq.read_table(path))
    curve = FragilityCurve(pa.concat_tables(parts), k)
    print(curve, end="\n\n")
    curve.plot().savefig(folder / "curve.svg")
    for method in methods:
        print((folder / method / "summary.txt").read_text())
    print(f"pictures and reports: {folder}")


@torch.no_grad()
def predicted(net: nn.Module, pixels: Tensor, normalise: object) -> Tensor:
    """The predicted class of every image."""
    if normalise is not bgr:
        mean, std = (torch.tensor(part).view(3, 1, 1).to(pixels) for part in CIFAR)
    classes = [
        net(bgr(part) if normalise is bgr else (part - mean) / std).argmax(1)
        for part in pixels.split(64)
    ]
    return torch.cat(classes)


def chunk_of(net: str, device: str) -> int:
    """Images in one pass: about 20 GiB of a GPU's memory, or what a CPU's caches like."""
    if device == "cpu":
        return 4 if net == "squeezenet" else 64
    return 48 if net == "squeezenet" else 512


def report(what: str, start: float) -> None:
    """One line for the log."""
    print(f"{time.strftime('%H:%M:%S')} {what}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
