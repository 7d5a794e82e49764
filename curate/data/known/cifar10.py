"""CIFAR-10: 50,000 training and 10,000 test images of 32×32 colour pixels."""

import os
from pathlib import Path

import numpy as np
import torch

from curate.data.example_set import ExampleSet
from curate.data.formats.parquet import rows_of
from curate.data.known.local_copy import download, find_copy
from curate.errors import CurateError

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


def cifar10(split: str, root: str | os.PathLike[str] | None) -> ExampleSet:
    """One split of CIFAR-10; ids are the indices in the official split.

    Read from ``cifar10-jpeg/cifar10_jpeg.parquet`` or ``cifar10_jpeg.parquet`` (columns
    ``split, index, label, image``: JPEG bytes, lossy), or from torchvision's own layout, which
    is downloaded if there is no copy.
    """
    copy = find_copy(root, "cifar10-jpeg/cifar10_jpeg.parquet", "cifar10_jpeg.parquet")
    if copy is not None:
        return _from_parquet(copy, split)
    from torchvision.datasets import CIFAR10

    layout = find_copy(root, "cifar-10-batches-py")
    folder_of_copy = root if layout is None else layout.parent
    dataset = download(
        "cifar10",
        folder_of_copy,
        lambda folder: CIFAR10(folder, train=split == "train", download=True),
    )
    return ExampleSet(
        np.arange(len(dataset.data)),
        np.array(dataset.targets),
        CLASSES,
        shape=(3, 32, 32),
        values=torch.from_numpy(dataset.data).permute(0, 3, 1, 2).contiguous(),
    )


def _from_parquet(path: Path, split: str) -> ExampleSet:
    table = rows_of(path, ["split", "index", "label", "image"], [("split", "==", split)])
    if not len(table):
        raise CurateError(f"root: {str(path)!r} has no rows with split {split!r}; replace it")
    table = table.sort_by("index")
    jpegs = table["image"].to_pylist()
    coded = ExampleSet(
        table["index"].to_numpy().astype(np.int64),
        table["label"].to_numpy(),
        CLASSES,
        shape=(3, 32, 32),
        encoded=jpegs,
    )
    coded.arrays()  # decode all of them now: small as they are, they fit into memory
    return coded
