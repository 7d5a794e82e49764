"""Cross-dataset generalisation and market value on the four domains of Office-Caltech10.

    python benchmarks/bias.py market [--quick]

Needs the data that CURATE_DATA, else ../shared/data, names. Times are of this process's CPU, one
thread; the tables themselves are what pipelines/dataset_bias.py prints. --quick: two seeds.
"""

import time
from collections.abc import Iterator

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from measure import DATA, Row

from curate.bias import Source, cross_dataset, market_value
from curate.features import extract

DOMAINS = ("caltech", "amazon", "webcam", "dslr")


def domains() -> list[Source]:
    """HOG features of each domain, with the ten classes by name."""
    table = pq.read_table(DATA / "natural-images/office_caltech10_64.parquet")
    found = []
    for domain in DOMAINS:
        rows = table.filter(pc.equal(table["split"], domain))
        names = [label.split("/")[1] for label in rows["label"].to_pylist()]
        classes = sorted(set(names))
        images = Source(
            domain,
            np.arange(len(rows)),
            encoded=rows["image"].to_pylist(),
            labels=np.array([classes.index(name) for name in names]),
            class_names=tuple(classes),
        )
        features = extract(images, "hog")
        found.append(
            Source(
                domain,
                images.ids,
                features=features,
                labels=images.labels,
                class_names=images.class_names,
            )
        )
    return found


def rows(quick: bool) -> Iterator[Row]:
    torch.set_num_threads(1)
    if not DATA.is_dir():
        yield "Office-Caltech10", f"no data at {DATA}", "", "", ""
        return
    start = time.process_time()
    sources = domains()
    yield (
        f"HOG of {sum(map(len, sources)):,} images",
        f"{time.process_time() - start:.1f} s of CPU",
        "",
        "",
        "",
    )
    contestants = {
        "cross_dataset": lambda: cross_dataset(sources, seeds=2 if quick else 20),
        "cross_dataset one-vs-rest": lambda: cross_dataset(
            sources, task="one-vs-rest", seeds=2 if quick else 5
        ),
        "market_value": lambda: market_value(sources, seeds=2 if quick else 20),
    }
    for what, run in contestants.items():
        start = time.process_time()
        result = run()
        str(result)  # the bootstrap is part of the price
        seconds = time.process_time() - start
        seeds = len(result.scores) if what != "market_value" else len(result.scores[0])
        yield f"{what}, 4 domains, {seeds} seeds", f"{seconds:.0f} s of CPU", "", "", "< 120 s"
