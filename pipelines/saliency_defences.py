"""Do defences make explanations harder to attack, where the attack knows of them?

    python pipelines/saliency_defences.py                    # digits, nets that are trained here
    python pipelines/saliency_defences.py --net resnet20     # pretrained, CIFAR-10

The paper's top-k attack (Ghorbani et al., AAAI 2019) on simple gradients as they are, on SmoothGrad
(its gradient goes through all noisy copies) and on gradients of the net smoothed by softplus
(Dombrowski et al., 2019), which is what is attacked. Digits: also on nets that were trained with
the curvature penalty (Moosavi-Dezfooli et al., CVPR 2019). Means over images that all nets get
right and whose attack keeps the prediction, with 95 % bootstrap intervals. A map that says nothing
is hard to attack, so its rank correlation under random weights stands beside it: 1 is useless.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from saliency_fragility import CIFAR, DEPTHS, cifar
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import curate
from curate.saliency import curvature_penalty, fragility

DEFENCES = {
    "none": ("gradient", {}),
    "SmoothGrad, 8 copies": ("smoothgrad", {"samples": 8}),
    "softplus, β = 8": ("gradient", {"softplus_beta": 8.0}),
    "softplus, β = 2": ("gradient", {"softplus_beta": 2.0}),
}
PENALTIES = (0.0, 0.001, 0.01)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", default="digits", choices=("digits", *DEPTHS))
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--iterations", type=int, default=50)
    parser.add_argument("--epsilon", type=float, default=8.0, help="of 255")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("CURATE_DATA", "")))
    options = parser.parse_args()
    if options.net == "digits":
        nets, images, labels = of_digits()
        terms = {"k": 6}
    else:
        net, images, labels = cifar(options.data, options.net)
        nets, images, labels = {options.net: net}, images[:1000], labels[:1000]
        terms = {"k": 100, "normalise": CIFAR}
    torch.backends.cudnn.allow_tf32 = False  # whose ten bits are too few for a map's small pixels
    nets = {name: net.to(options.device) for name, net in nets.items()}
    images, labels = images.to(options.device), labels.to(options.device)
    terms["chunk"] = 64 if options.device == "cpu" else 512
    answers = {name: logits(net, images, terms).argmax(1) == labels for name, net in nets.items()}
    right = torch.stack(list(answers.values())).all(0).nonzero()[: options.images, 0]
    report = Table(title=f"{options.net}, ε = {options.epsilon:g} of 255, {len(right)} images")
    for column in ("net", "accuracy", "defence", "top kept", "Spearman", "ρ, random weights"):
        report.add_column(column, justify="left" if column in ("net", "defence") else "right")
    console = Console(width=120, highlight=False)
    for name, net in nets.items():
        accuracy = float(answers[name].float().mean())
        for defence, (method, own) in track(DEFENCES.items(), name, transient=True):
            start = time.perf_counter()
            found = fragility(
                net, images[right], method, labels=labels[right], options=own,
                epsilon=options.epsilon / 255, iterations=options.iterations, **terms,
            )  # fmt: skip
            if not console.is_terminal:  # for the log, and should the rest be stopped
                spent = time.perf_counter() - start
                print(name, defence, *facts(found), f"{spent:.0f} s", sep=", ", file=sys.stderr)
            report.add_row(name, f"{accuracy:.1%}", defence, *facts(found))
    console.print(report)


def of_digits() -> tuple[dict[str, nn.Module], Tensor, Tensor]:
    """Nets by the weight of the penalty they were trained with; test images and labels."""
    train, test = (curate.data.load("digits", split).arrays() for split in ("train", "test"))
    nets = {}
    for weight in PENALTIES:
        name = f"penalty {weight:g}" if weight else "plain"
        nets[name] = trained(train[0].float() / 255, train[1], weight)
    return nets, test[0].float() / 255, test[1]


def trained(images: Tensor, labels: Tensor, penalty: float) -> nn.Module:
    """Fifteen epochs, the penalty on the loss scaled by ``penalty``."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    for _ in track(range(15), f"training, penalty {penalty:g}", transient=True):
        for rows in torch.randperm(len(labels)).split(32):
            loss = cross_entropy(net(images[rows]), labels[rows])
            if penalty:
                loss = loss + penalty * curvature_penalty(net, images[rows], labels[rows])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)  # the penalty's are large at first
            optimizer.step()
    return net.eval()


@torch.no_grad()
def logits(net: nn.Module, images: Tensor, terms: dict) -> Tensor:
    if "normalise" in terms:
        mean, std = (torch.tensor(part).view(3, 1, 1).to(images) for part in terms["normalise"])
        images = (images - mean) / std
    return torch.cat([net(part) for part in images.split(250)])


def facts(found: curate.saliency.Fragility) -> list[str]:
    """Top pixels kept, rank correlation after the attack, and that under random weights."""
    rows = {row["measure"]: row for row in found.summary.to_pylist()}
    top, rank, control = (rows[name] for name in ("topk", "spearman", "randomised_spearman"))
    return [
        f"{top['mean']:.1%} ({top['low']:.1%} to {top['high']:.1%})",
        f"{rank['mean']:.2f} ({rank['low']:.2f} to {rank['high']:.2f})",
        f"{control['mean']:.2f}",
    ]


if __name__ == "__main__":
    main()
