"""Near-duplicates: CIFAR-10's test set in its training set, beside imagededup, and false alarms.

    python benchmarks/retest.py duplicates [--quick]

Features are local frequencies, no network. Time is CPU time of all threads. Peak memory is that of
this process, data and torch included. ``results/cifar10-copies-by-eye.csv`` holds 468 test images
with training images that are copies of them, as we saw it on the JPEG copy of CIFAR-10: 296 of the
450 whose nearest by layer2 of a ResNet-56 are nearest of all, and 172 of the likeliest others by
any signal of ours. A rival counts where it was seen to be a copy too. imagededup (``pip install
imagededup``) is left out where it is missing.
"""

import csv
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import DATA, Row, peak

import curate
from curate.data import ExampleSet
from curate.features import local_dct
from curate.retest import SIGNALS, NearDuplicates, audit_split, near_duplicates
from curate.retest.duplicates.embedding import fit_embedding
from curate.retest.duplicates.search import build_index

SEEN = Path(__file__).parent / "results" / "cifar10-copies-by-eye.csv"
GOAL = "≥ 88 / ≥ 98 % on others' labels"


def rows(quick: bool) -> Iterator[Row]:
    if (DATA / "cifar10-jpeg").is_dir():
        yield from cifar(2000 if quick else 10_000)
        for name in ("PHash", "DHash"):
            yield apart(imagededup, name)
        yield apart(matrix)
    else:
        yield "CIFAR-10", f"no CIFAR-10 at {DATA}", "", "", ""
    yield false_alarms(20 if quick else 200)


def cifar(count: int) -> Iterator[Row]:
    train, test = (curate.data.load("cifar10", split) for split in ("train", "test"))
    start = time.process_time()
    found = near_duplicates(part(test, count), train)
    seconds = time.process_time() - start
    yield (
        f"near_duplicates, {count:,} × 50,000 CIFAR images, all signals",
        f"{seconds:.0f} s of CPU, peak {peak():.2f} GiB",
        "",
        "",
        "≤ 2 minutes on two cores, ≤ 2 GB",
    )
    seen = {row: known for row, known in copies_seen().items() if row < count}
    yield f"{len(seen)} copies seen by eye: nearest / within ten", places(found, seen), "", "", GOAL
    for name in SIGNALS:
        if name != "contrast":  # it ranks the candidates of one image as activation does
            yield f"the same by {name} alone", places(found, seen, name), "", "", ""
    for row in found.recall.to_pylist():
        yield (
            f"planted copies, {row['kind']}: nearest / within ten / found",
            f"{row['nearest']:.1%} / {row['within_ten']:.1%} / {row['found']:.1%}",
            "",
            "",
            "",
        )


def part(dataset: ExampleSet, count: int) -> torch.Tensor:
    return curate.features.pixels(dataset, 32)[:count]


def copies_seen() -> dict[int, set[int]]:
    """Of every test image the training images that are copies of it."""
    with open(SEEN, newline="") as file:
        return {int(r["test"]): set(map(int, r["train"].split())) for r in csv.DictReader(file)}


def places(found: NearDuplicates, seen: dict[int, set[int]], by: str | None = None) -> str:
    ids, others = (found.table[name].to_numpy() for name in ("example_id", "neighbour_id"))
    order = -found.table[by].to_numpy() if by is not None else found.table["rank"].to_numpy()
    nearest = within = 0
    for row, known in seen.items():
        mine = np.flatnonzero(ids == row)
        ranked = others[mine[np.argsort(order[mine], kind="stable")]].tolist()
        nearest += ranked[0] in known
        within += bool(known & set(ranked))
    return f"{nearest / len(seen):.1%} / {within / len(seen):.1%}"


def imagededup(name: str) -> Row:
    """A hash of imagededup on the same images: time, recall of the copies seen, peak memory."""
    try:
        from imagededup import methods
    except ImportError:
        return f"imagededup, {name}", "", "not installed", "", ""
    train, test = (
        curate.features.pixels(curate.data.load("cifar10", split), 32).permute(0, 2, 3, 1).numpy()
        for split in ("train", "test")
    )
    start = time.process_time()
    method = getattr(methods, name)(verbose=False)
    known = {f"train{i}": method.encode_image(image_array=one) for i, one in enumerate(train)}
    asked = {f"test{i}": method.encode_image(image_array=one) for i, one in enumerate(test)}
    pairs = method.find_duplicates(
        encoding_map=known | asked, max_distance_threshold=10, num_dist_workers=0
    )
    seconds = time.process_time() - start
    seen = copies_seen()
    hits = sum(bool({f"train{i}" for i in partners} & set(pairs[f"test{row}"]))
               for row, partners in seen.items())  # fmt: skip
    listed = sum(one.startswith("train") for row in range(len(test)) for one in pairs[f"test{row}"])
    return (
        f"imagededup, {name}, distance ≤ 10: copies among all it lists",
        "",
        f"{hits / len(seen):.1%} of {len(seen)} among {listed:,} pairs; {seconds:.0f} s of CPU, "
        f"peak {peak():.2f} GiB",
        "",
        "",
    )


def matrix() -> Row:
    """Its cosine search makes the N × N matrix: 10,000 + 10,000 images, the features of ours."""
    try:
        from imagededup.handlers.search.retrieval import get_cosine_similarity
    except ImportError:
        return "imagededup, cosine search", "", "not installed", "", ""
    images = torch.cat([part(curate.data.load("cifar10", s), 10_000) for s in ("train", "test")])
    vectors = fit_embedding(local_dct, images, np.random.default_rng(0))(images)
    before, start = peak(), time.process_time()
    index = build_index(vectors[:10_000], np.random.default_rng(0))
    index.search(vectors[10_000:], 12)
    ours, held = time.process_time() - start, peak() - before
    before, start = peak(), time.process_time()
    get_cosine_similarity(vectors, verbose=False)
    theirs, most = time.process_time() - start, peak() - before
    return (
        "search alone, 10,000 × 10,000, the same features of 192 numbers",
        f"{ours:.1f} s of CPU, {held:.2f} GiB more",
        f"imagededup's cosine search, 20,000 × 20,000: {theirs:.1f} s, {most:.2f} GiB more",
        f"{theirs / ours:.0f} × as fast",
        "",
    )


def apart(work: Callable[..., Row], *arguments: Any) -> Row:
    """In a process of its own, so that peak memory is its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(work, *arguments).result()


def false_alarms(sets: int) -> Row:
    """Class prototypes plus noise, 120 training and 60 test images, no copies."""
    alarms = 0
    for seed in range(sets):
        generator = torch.Generator().manual_seed(seed)
        coarse = torch.rand(10, 3, 8, 8, generator=generator)
        prototypes = torch.nn.functional.interpolate(coarse, 32, mode="bicubic")
        noise = 0.05 + 0.2 * float(torch.rand(1, generator=generator))
        made = []
        for count in (120, 60):
            labels = torch.arange(count) % 10
            images = prototypes[labels] + noise * torch.randn(count, 3, 32, 32, generator=generator)
            made.append((images.clamp(0, 1) * 255).byte())
        alarms += not audit_split(*made).passed
    low, high = curate.stats.clopper_pearson(alarms, sets)
    return (
        f"audit: false alarms on {sets} made sets of 120 and 60 images",
        f"{alarms / sets:.1%} ({low:.1%} to {high:.1%})",
        "",
        "",
        "≤ 5 %",
    )
