"""The small network against HOG and a linear SVM: twelve sources, and the fair seven.

    python benchmarks/bias.py network [--quick] [--checkpoints FOLDER]

Trained on 1,000 images of each source and tested on 300 others (Office-Caltech10's first domain
has 1,123, so it gives 823 to train on); ten to twenty CPU-minutes a run on AVX-512 with bfloat16.
With ``--checkpoints FOLDER`` an interrupted run goes on where it stopped.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from bias_linear import FAIR, data_folder, twelve
from measure import Row

from curate.bias import Source, train_network
from curate.features import hog, pixels

GOALS = {"twelve": "≥ 93 %", "fair seven": "≥ 88 %"}
EPOCHS = {"twelve": 48, "fair seven": 40}


def rows(quick: bool, checkpoints: Path | None = None) -> Iterator[Row]:
    """What, the network's, the SVM's, difference, goal; one row per game and seed."""
    torch.set_num_threads(1)
    folder = data_folder()
    if folder is None:
        return
    sources = twelve(folder)
    games = {"fair seven": [each for each in sources if each.name in FAIR], "twelve": sources}
    for name, chosen in games.items():
        x, y, test_x, test_y = _split(chosen, *((60, 30) if quick else (1000, 300)))
        svm = _svm(x, y, test_x, test_y)
        for seed in range(1 if quick else 2):
            start = time.process_time()
            path = None if checkpoints is None else checkpoints / f"{len(chosen)}-{seed}.pt"
            epochs = 2 if quick else EPOCHS[name]
            network = train_network(x, y, len(chosen), epochs=epochs, seed=seed, checkpoint=path)
            guesses = network.scores(test_x).argmax(1)
            recall = [
                float((guesses[test_y == k] == k).double().mean()) for k in range(len(chosen))
            ]
            seconds = time.process_time() - start
            yield (
                f"network, {name}, {len(x):,} images, {epochs} epochs, seed {seed}",
                f"{np.mean(recall):.1%} ({seconds / 60:.0f} CPU-minutes)",
                f"HOG + LinearSVC {svm:.1%}, chance {1 / len(chosen):.1%}",
                f"{100 * (np.mean(recall) - svm):+.0f} points",
                GOALS[name],
            )


def _split(sources: list[Source], train: int, test: int) -> tuple[torch.Tensor, ...]:
    """Pixels and labels: up to ``train`` of each source at random, ``test`` others."""
    parts: list[list[torch.Tensor]] = [[], [], [], []]
    for label, source in enumerate(sources):
        drawn = np.random.default_rng(100).permutation(len(source))
        for place, rows in ((0, drawn[test : test + train]), (2, drawn[:test])):
            parts[place].append(pixels(source.take(rows), 64))
            parts[place + 1].append(torch.full((len(rows),), label))
    return tuple(torch.cat(part) for part in parts)


def _svm(x: torch.Tensor, y: torch.Tensor, test_x: torch.Tensor, test_y: torch.Tensor) -> float:
    from sklearn.svm import LinearSVC

    model = LinearSVC(C=0.01).fit(hog(x).numpy(), y.numpy())
    return float(model.score(hog(test_x).numpy(), test_y.numpy()))
