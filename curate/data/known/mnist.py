"""MNIST: 60,000 training and 10,000 test images of 28×28 grey pixels."""

import os
import zipfile
from pathlib import Path

import numpy as np
import torch

from curate.data.example_set import ExampleSet
from curate.data.known.local_copy import download, find_copy
from curate.errors import CurateError


def mnist(split: str, root: str | os.PathLike[str] | None) -> ExampleSet:
    """One split of MNIST; ids are the indices in the official split.

    Read from ``mnist/mnist.npz`` or ``mnist.npz`` (``x_train, y_train, x_test, y_test``), or
    from torchvision's own layout, which is downloaded if there is no copy.
    """
    copy = find_copy(root, "mnist/mnist.npz", "mnist.npz")
    if copy is not None:
        images, labels = _from_npz(copy, split)
    else:
        from torchvision.datasets import MNIST

        layout = find_copy(root, "MNIST/raw")
        folder_of_copy = root if layout is None else layout.parent.parent
        dataset = download(
            "mnist",
            folder_of_copy,
            lambda folder: MNIST(folder, train=split == "train", download=True),
        )
        images, labels = dataset.data.numpy(), dataset.targets.numpy()
    return ExampleSet(
        np.arange(len(images)),
        labels,
        [str(digit) for digit in range(10)],
        shape=(1, 28, 28),
        values=torch.from_numpy(images[:, None]),
    )


def _from_npz(path: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            images, labels = arrays[f"x_{split}"], arrays[f"y_{split}"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CurateError(
            f"root: {str(path)!r} is not an MNIST .npz with x_{split} and y_{split} ({error}); "
            "replace it"
        ) from error
    if images.shape != (len(labels), 28, 28) or images.dtype != np.uint8:
        raise CurateError(
            f"root: {str(path)!r} has x_{split} of shape {images.shape} and type {images.dtype}, "
            f"not uint8 of ({len(labels)}, 28, 28); replace it"
        )
    return images, labels
