"""Dataset bias (Torralba & Efros, CVPR 2011; Liu & He, 2024) on photographs at hand.

    python pipelines/dataset_bias.py [--data FOLDER] [--out FOLDER] [--quick]

The paper's questions, in its order: can a classifier name the data set that an image is from
(section 2)? Does a detector trained on one set work on another (section 3.1)? What is an example
of one set worth on the market of another (section 3.2)? And ours: how much of it is in the files
rather than in the scenes, and are the examples that give their source away also the forgotten
ones? Features are cached in the folder of results.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress

import curate
from curate.bias import (
    Source,
    as_sources,
    cross_dataset,
    extract,
    given_away,
    market_value,
    name_that_dataset,
    pixels,
)
from curate.report import write_identification

FAIR = ("caltech101", "corel5k", "scene15", "pacs_photo", "office_caltech10", "tiny_imagenet")
TOPICS = ("clothing", "houses", "flower_photos", "asirra_cats", "humpback_whales")
EXAMPLES = 2000  # of CIFAR-10, as many as the others have


def photographs(folder: Path) -> dict[str, Source]:
    """The twelve sources by name; of Office-Caltech10 only the Caltech domain."""
    names = [*FAIR, *TOPICS]
    files = {name: next((folder / "natural-images").glob(f"{name}*.parquet")) for name in names}
    files["tiny_imagenet"] = folder / "natural-images" / "tiny_imagenet_subset.parquet"
    sources = {source.name: source for source in as_sources(files)}
    sources["office_caltech10"] = domains(folder)["caltech"]
    cifar10 = as_sources({"cifar10": curate.data.load("cifar10", "train", folder)})[0]
    rows = np.random.default_rng(0).permutation(len(cifar10))[:EXAMPLES]
    return {**sources, "cifar10": cifar10.take(np.sort(rows))}


def domains(folder: Path) -> dict[str, Source]:
    """The four domains of Office-Caltech10, which share ten classes."""
    loaded = curate.data.parquet(folder / "natural-images" / "office_caltech10.parquet")
    (whole,) = as_sources({"office": loaded})
    marks = np.array(loaded.dataset["split"])
    return {
        name: replace(whole.take(np.flatnonzero(marks == name)), name=name)
        for name in ("caltech", "amazon", "webcam", "dslr")
    }
