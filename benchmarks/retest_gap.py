"""Gaps, every pair of models, and accuracy without labels on ImageNet's predictions.

    python benchmarks/retest.py gap [--quick]

Needs the data that CURATE_DATA, else ../shared/data, names. Times are of this process's CPU, one
thread; data are read before the clock starts.
"""

import time
import warnings
from collections.abc import Iterator

import numpy as np
import torch
from measure import DATA, Row

from curate.retest import accuracy_by_agreement, accuracy_gap
from curate.retest.agreement.accuracy_by_agreement import with_intervals
from curate.retest.agreement.counts import count
from curate.retest.gap.pairing import same_models
from curate.retest.gap.predictions import Predictions, read_predictions

IMAGENET = (
    "imagenetv2-predictions/imagenet_val_top1_predictions.parquet",
    "imagenetv2-predictions/imagenet_t07_top1_predictions.parquet",
)
CIFAR = (
    "cifar10.1-predictions/original_test_predictions.parquet",
    "cifar10.1-predictions/cifar10.1_v4_predictions.parquet",
)
RENAME = {"fv_64k_model": "fv_64k"}


def rows(quick: bool) -> Iterator[Row]:
    torch.set_num_threads(1)
    if not DATA.is_dir():
        yield "predictions", f"no data at {DATA}", "", "", ""
        return
    sets = [read_predictions(DATA / name, name) for name in IMAGENET]
    accuracy_gap(*sets, rename=RENAME, resamples=100)  # imports scipy
    seconds = []
    for _ in range(1 if quick else 3):
        start = time.process_time()
        gap = accuracy_gap(*sets, rename=RENAME, resamples=2000)
        seconds.append(time.process_time() - start)
    images = sum(gap.images)
    yield (
        f"{len(gap.models)} models × {images:,} images: {len(gap.pairs):,} exact McNemar pairs on "
        "both sets, 2,000 bootstraps over models and images",
        f"{np.median(seconds):.2f} s of CPU",
        "",
        "",
        "≤ 3 s",
    )
    for name, files, rename in (("threshold-0.7", IMAGENET, RENAME), ("CIFAR-10.1 v4", CIFAR, {})):
        yield from agreement(name, files, rename, quick)


def agreement(
    name: str, files: tuple[str, str], rename: dict[str, str], quick: bool
) -> Iterator[Row]:
    original, new = (read_predictions(DATA / file, file) for file in files)
    gap = accuracy_gap(original, new, rename=rename, resamples=100)
    truth = {row["model"]: row["accuracy_new"] for row in gap.table.to_pylist()}
    before = {row["model"]: row["accuracy_original"] for row in gap.table.to_pylist()}
    start = time.process_time()
    table = accuracy_by_agreement(original, new, rename=rename).table.to_pylist()
    seconds = time.process_time() - start
    real = np.array([truth[row["model"]] for row in table])
    error = np.abs(np.array([row["accuracy"] for row in table]) - real)
    naive = np.abs(np.array([before[row["model"]] for row in table]) - real)
    able = real >= 0.4
    yield (
        f"accuracy by agreement, {name}, {len(table)} models: median error, points",
        f"{100 * np.median(error):.2f}",
        f"{100 * np.median(naive):.2f} (nothing changes)",
        f"{np.median(error) / np.median(naive):.2f}",
        "≤ 0.5" if "threshold" in name else "",
    )
    yield (
        f"mean error, {able.sum()} models of 40 % and more",
        f"{100 * error[able].mean():.2f}",
        f"{100 * naive[able].mean():.2f} (nothing changes)",
        f"{error[able].mean() / naive[able].mean():.2f}",
        "≤ 0.5" if "threshold" in name else "",
    )
    held = [row["low"] <= truth[row["model"]] <= row["high"] for row in table]
    yield f"95 % intervals that hold ({seconds:.1f} s of CPU)", share(held), "", "", "95 %"
    if not quick:
        yield (
            "the same, every other model left out once",
            share(list(left_out(original, new, rename, truth))),
            "",
            "",
            "95 %",
        )


def left_out(
    original: Predictions, new: Predictions, rename: dict[str, str], truth: dict[str, float]
) -> Iterator[bool]:
    """Of every model whether its interval holds once another one is left out.

    Agreements are counted once: what is counted of two models does not depend on the others.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of models that are in one set only
        first, second = same_models(original, new, rename, 3)
    rng = np.random.default_rng(0)
    counts = [count(first, 40, rng, labelled=True), count(second, 40, rng, labelled=False)]
    real = np.array([truth[name] for name in first.models])
    for row in range(len(real)):
        kept = np.arange(len(real)) != row
        _, _, low, high = with_intervals(*(one.of(kept) for one in counts), 0.95)
        yield from (low <= real[kept]) & (real[kept] <= high)


def share(held: list[bool]) -> str:
    return f"{np.mean(held):.1%} of {len(held):,}"
