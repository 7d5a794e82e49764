"""Pruning while training against training on everything, at equal presentations.

    python benchmarks/sampler.py                                  # CIFAR-10, all of it
    python benchmarks/sampler.py --dataset mnist --examples 10000 --keep 0.5
    python benchmarks/sampler.py --only-print                     # what there is
    PYTHONPATH=.../InfoBatch python benchmarks/sampler.py ...     # beside InfoBatch

Arms, with the same weights to start from and the same learning rate at the same share of training:

- full: every epoch whole;
- dynamic: ``curate.DynamicSampler``;
- usual: the same, the weighted loss divided by the sum of the weights: steps of the usual length;
- uniform: as many examples an epoch as dynamic, drawn among all, weighted by one over their share;
- short: whole epochs, ended after as many presentations as dynamic took;
- infobatch: where the package can be imported, its schedule and its weighted loss (Qin et al.,
  ICLR 2024), the loop driven by hand: through torch's loader its epochs do not end.

The training set is the first ``--examples`` by a hash of their ids, of each class as many. What is
finished is kept in ``benchmarks/results/sampler-NAME-EXAMPLES.parquet``, and the same command goes
on from there. Seconds are those of the processor, of training alone, one thread.
"""

import argparse
import json
import math
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from pyarrow import parquet
from rich.console import Console
from rich.table import Table
from torch.nn.functional import cross_entropy

import curate
from curate.data import held_out
from curate.files import atomic_path
from curate.stats import certificate, superiority
from curate.train import Settings, build, settings_for
from curate.train.batches import Normaliser, augmented
from curate.train.nets import Whitening

RESULTS = Path(__file__).parent / "results"
ARMS = ("full", "dynamic", "usual", "uniform", "short", "infobatch")
MARGIN = 0.003
Step = tuple[torch.Tensor, torch.Tensor | None, float]
"""Positions, their weights (None: 1 each), and the share of training that is done."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--data", help="folder with local copies; else CURATE_DATA")
    parser.add_argument("--examples", type=int, help="of the training set; all where left out")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--keep", type=float, default=0.25, help="share of the learned presented")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only-print", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    train_set = curate.data.load(options.dataset, "train", options.data)
    options.examples = options.examples or len(train_set)
    kept = RESULTS / f"sampler-{options.dataset}-{options.examples}.parquet"
    if not options.only_print:
        test_set = curate.data.load(options.dataset, "test", options.data)
        for seed in range(options.seeds):
            for arm in ARMS:
                train_if_missing(options, kept, train_set, test_set, arm, seed)
    print_table(options, kept)


def key_of(options: argparse.Namespace, arm: str, seed: int) -> str:
    keep = "" if arm == "full" else f"-keep{options.keep:g}"
    return f"{arm}{keep}-epochs{options.epochs}-seed{seed}"


def train_if_missing(options, kept: Path, train_set, test_set, arm: str, seed: int) -> None:
    rows = finished(kept)
    key = key_of(options, arm, seed)
    if key in rows or (arm == "infobatch" and infobatch_class() is None):
        return
    values, labels = train_set.arrays()
    chosen = torch.arange(len(labels))
    if options.examples < len(labels):
        mask = held_out(train_set.labels, train_set.ids, options.examples, seed=0)
        chosen = torch.from_numpy(mask).nonzero().squeeze(1)
    settings = settings_for(train_set.shape, epochs=options.epochs, device=options.device)
    dynamic = rows.get(key_of(options, "dynamic", seed))
    training = Training(values[chosen], labels[chosen], len(train_set.class_names), settings, seed)
    sizes, seconds = training.run(arm, options.keep, dynamic and json.loads(dynamic["sizes"]))
    right = training.answers(*test_set.arrays())
    row = {
        "key": key, "arm": arm, "keep": options.keep, "seed": seed, "epochs": options.epochs,
        "presentations": sum(sizes), "sizes": json.dumps(sizes), "seconds": seconds,
        "examples": len(right), "right": np.packbits(right).tobytes(),
    }  # fmt: skip
    rows = finished(kept) | {key: row}
    with atomic_path(kept) as path:
        parquet.write_table(pa.Table.from_pylist([rows[name] for name in sorted(rows)]), path)
    print(f"{key}: {right.mean():.2%}, {sum(sizes):,} presentations, {seconds:.0f} s", flush=True)


def infobatch_class():
    try:
        from infobatch import InfoBatch
    except ImportError:
        return None
    return InfoBatch


def finished(kept: Path) -> dict[str, dict]:
    rows = parquet.read_table(kept).to_pylist() if kept.exists() else []
    return {row["key"]: row for row in rows}


class Training:
    """One net in training, on the library's default settings for such images."""

    def __init__(self, values, labels, classes: int, settings: Settings, seed: int) -> None:
        self.settings, self.seed = settings, seed
        torch.manual_seed(seed)
        self.device = torch.device(settings.device)
        self.values, self.labels = values.to(self.device), labels.to(self.device)
        self.model = build(settings.model, values.shape[1:], classes).to(self.device)
        self.model = self.model.to(memory_format=torch.channels_last)
        self.normalise = Normaliser.of(values)
        for module in self.model.modules():
            if isinstance(module, Whitening):
                module.fit(self.prepared(values[:5000]))
        self.generator = torch.Generator().manual_seed(seed)
        self.recorder = curate.Recorder(len(labels), track="forgetting")
        self.peer = None

    def prepared(self, images: torch.Tensor) -> torch.Tensor:
        images = self.normalise(images.to(self.device))
        return images.contiguous(memory_format=torch.channels_last)

    def run(self, arm: str, keep: float, dynamic: list[int] | None) -> tuple[list[int], float]:
        """Train; the presentations of every epoch, and the seconds of the processor.

        ``dynamic``: the presentations of the epochs of the arm of that name.
        """
        optimizer = torch.optim.SGD(
            [p for p in self.model.parameters() if p.requires_grad],
            lr=self.settings.lr, momentum=0.9, weight_decay=self.settings.weight_decay,
            nesterov=True,
        )  # fmt: skip
        epochs = {
            "full": self.full, "dynamic": self.dynamic, "usual": self.dynamic,
            "uniform": self.uniform, "short": self.short, "infobatch": self.infobatch,
        }[arm](keep, dynamic)  # fmt: skip
        sizes = []
        start = time.process_time()
        for steps in epochs:
            self.model.train()
            sizes.append(0)
            for batch, weights, done in steps:
                for group in optimizer.param_groups:
                    group["lr"] = self.settings.lr * rate(done)
                rows = batch.to(self.device)
                images, targets = self.values[rows], self.labels[rows]
                if self.settings.augment:
                    images = augmented(images, self.generator)
                logits = self.model(self.prepared(images))
                losses = cross_entropy(logits.float(), targets, reduction="none")
                if self.peer is not None:
                    self.peer.set_active_indices(batch)
                    loss = self.peer.update(losses)
                else:
                    weighted = losses if weights is None else losses * weights.to(losses)
                    loss = weighted.sum() / (weights.sum() if arm == "usual" else len(batch))
                if arm in ("dynamic", "usual"):
                    self.recorder.update(batch, logits, targets)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                sizes[-1] += len(batch)
            self.recorder.end_epoch()
        return sizes, time.process_time() - start

    def batches(self, order: torch.Tensor) -> list[torch.Tensor]:
        found = list(order.split(self.settings.batch_size))
        if len(found) > 1 and len(found[-1]) == 1:  # batch normalisation needs two
            found[-2:] = [torch.cat(found[-2:])]
        return found

    def epoch(self, number: int, order, weights=None) -> Iterator[Step]:
        batches = self.batches(order)
        for step, batch in enumerate(batches):
            weighted = None if weights is None else weights(batch)
            yield batch, weighted, (number + step / len(batches)) / self.settings.epochs

    def shuffled(self) -> torch.Tensor:
        return torch.randperm(len(self.labels), generator=self.generator)

    def full(self, keep, dynamic) -> Iterator[Iterator[Step]]:
        for number in range(self.settings.epochs):
            yield self.epoch(number, self.shuffled())

    def dynamic(self, keep, dynamic) -> Iterator[Iterator[Step]]:
        sampler = curate.DynamicSampler(
            self.recorder, self.settings.epochs, keep=keep, seed=self.seed
        )
        for number in range(self.settings.epochs):
            yield self.epoch(number, torch.tensor(list(sampler)), sampler.weights)

    def uniform(self, keep, dynamic) -> Iterator[Iterator[Step]]:
        for number, size in enumerate(dynamic):
            weight = len(self.labels) / size
            yield self.epoch(
                number, self.shuffled()[:size], lambda batch, w=weight: torch.full(batch.shape, w)
            )

    def short(self, keep, dynamic) -> Iterator[Iterator[Step]]:
        left = total = sum(dynamic)
        while left > 0:
            batches = self.batches(self.shuffled()[:left])
            starts = np.cumsum([0, *map(len, batches)]) + (total - left)
            yield (
                (batch, None, float(start) / total)
                for batch, start in zip(batches, starts, strict=False)
            )
            left -= len(self.labels)

    def infobatch(self, keep, dynamic) -> Iterator[Iterator[Step]]:
        self.peer = infobatch_class()(self.labels, self.settings.epochs, prune_ratio=1 - keep)
        sampler = self.peer.sampler
        for number in range(self.settings.epochs):
            yield self.epoch(number, torch.tensor([int(i) for i in sampler]))

    @torch.no_grad()
    def answers(self, values, labels) -> np.ndarray:
        """(N,) bool: right on each of these examples."""
        self.model.eval()
        found = [self.model(self.prepared(some)).argmax(1).cpu() for some in values.split(500)]
        return (torch.cat(found) == labels).numpy()


def rate(done: float) -> float:
    """The learning rate over its peak: up in the first quarter, then down as a cosine."""
    if done < 0.25:
        return 0.04 + 0.96 * done / 0.25
    return 0.5 * (1 + math.cos(math.pi * (done - 0.25) / 0.75))


def print_table(options, kept: Path) -> None:
    console = Console(highlight=False)
    rows = finished(kept)
    settings = f"{options.examples:,} examples, {options.epochs} epochs, keep {options.keep:g}"
    table = Table(title=f"{options.dataset}: {settings}")
    for column in ("arm", "seeds", "presentations", "seconds", "accuracy", "than full", "at worst"):
        table.add_column(column, justify="left" if column == "arm" else "right")

    def answers(arm: str, seeds: list[int]) -> np.ndarray:
        bits = []
        for seed in seeds:
            row = rows[key_of(options, arm, seed)]
            bits.append(np.unpackbits(np.frombuffer(row["right"], np.uint8), count=row["examples"]))
        return np.stack(bits).astype(bool)

    def seeds_of(*arms: str) -> list[int]:
        return [s for s in range(99) if all(key_of(options, arm, s) in rows for arm in arms)]

    for arm in ARMS:
        seeds = seeds_of("full", arm)
        if not seeds:
            continue
        found = [rows[key_of(options, arm, seed)] for seed in seeds]
        whole = [rows[key_of(options, "full", seed)] for seed in seeds]
        share = sum(r["presentations"] for r in found) / sum(r["presentations"] for r in whole)
        cost = sum(r["seconds"] for r in found) / sum(r["seconds"] for r in whole)
        right = answers(arm, seeds)
        shown = ["", ""]
        if arm != "full" and len(seeds) > 1:
            test = certificate(answers("full", seeds), right, margin=MARGIN, level=0.05)
            shown = [f"{-100 * test.loss:+.2f}", f"{-100 * test.bound:+.2f}"]
        table.add_row(
            arm, str(len(seeds)), f"{share:.1%}", f"{cost:.0%}", f"{right.mean():.2%}", *shown
        )
    console.print(table)
    for ours, control in product(("dynamic", "usual"), ("uniform", "short", "infobatch")):
        seeds = seeds_of(ours, control)
        if len(seeds) > 1:
            test = superiority(answers(control, seeds), answers(ours, seeds), level=0.05)
            console.print(
                f"{ours} against {control}: {-100 * test.loss:+.2f} points, at least "
                f"{-100 * test.bound:+.2f}, p = {test.p_value:.2g}, {len(seeds)} seeds"
            )


if __name__ == "__main__":
    main()
