"""Image folders: one folder per class."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from curate.data.encoded import Files
from curate.data.example_set import ExampleSet
from curate.data.holdout import TEST_NAMES, TRAIN_NAMES, split_rows
from curate.data.ids import checked_ids
from curate.data.pixels import common_shape
from curate.errors import CurateError

if TYPE_CHECKING:
    from torchvision.datasets import ImageFolder


def folder(
    path: str | os.PathLike[str],
    *,
    split: str | None = None,
    size: int | tuple[int, int] | None = None,
) -> ExampleSet:
    """Load a folder of images with one subfolder per class, as torchvision's ``ImageFolder``.

    The ids are the files' paths inside the folder, as ``"class/file.png"``. Images stay on disk
    and are decoded when asked for.

    Args:
        path: the folder that holds the class folders, or ``train/`` and ``test/`` (or
            ``val/`` …) folders that do.
        split: None: all images. "train" or "test": the folder of that name; without one,
            a stratified fifth of the images is the test split (:func:`curate.data.load`).
        size: (height, width), or the side of a square, that samples are stretched to; None: the
            median of the (training) images, at most 224 a side.

    Raises:
        CurateError: no such folder, no class folders, no images.
    """
    root = Path(path)
    if not root.is_dir():
        raise CurateError(f"path: there is no folder {str(root)!r}")
    train, test = _subfolder(root, TRAIN_NAMES), _subfolder(root, TEST_NAMES)
    if train is None or test is None:
        whole = _scan(root)
        reference = _loaded(root, whole, None, size, None)
        if split is None:
            return reference
        rows = split_rows(reference.labels, reference.ids, split)
        return _loaded(root, whole, rows, None, reference.shape)
    if split is None:
        raise CurateError(
            f"split: {str(root)!r} has the splits {train.name!r} and {test.name!r}; give "
            "split='train' or split='test'"
        )
    training = _scan(train)
    reference = _loaded(train, training, None, size, None)
    if split == "train":
        return reference
    testing = _scan(test)
    unknown = sorted(set(testing.classes) - set(training.classes))
    if unknown:
        raise CurateError(
            f"path: the class {unknown[0]!r} is in {str(test)!r} but not in {str(train)!r}; "
            "both need the same classes"
        )
    testing.samples = [
        (name, training.class_to_idx[testing.classes[label]]) for name, label in testing.samples
    ]
    testing.classes = training.classes
    return _loaded(test, testing, None, None, reference.shape)


def _scan(root: Path) -> "ImageFolder":
    from torchvision.datasets import ImageFolder

    try:
        scanned = ImageFolder(str(root), allow_empty=True)
    except FileNotFoundError:
        raise CurateError(
            f"path: {str(root)!r} holds no class folders; put the images into one folder per class"
        ) from None
    if not scanned.samples:
        raise CurateError(
            f"path: the folders in {str(root)!r} hold no images (.png, .jpg, .webp …); put the "
            "images into one folder per class"
        )
    return scanned


def _loaded(
    root: Path,
    scanned: "ImageFolder",
    rows: np.ndarray | None,
    size: int | tuple[int, int] | None,
    shape: tuple[int, ...] | None,
) -> ExampleSet:
    samples = scanned.samples if rows is None else [scanned.samples[row] for row in rows.tolist()]
    names = [Path(name).relative_to(root).as_posix() for name, _ in samples]
    files = Files(root, names)
    return ExampleSet(
        checked_ids(names, len(names)),
        np.array([label for _, label in samples], np.int64),
        scanned.classes,
        shape=common_shape(files, size) if shape is None else shape,
        encoded=files,
        dataset=scanned,
    )


def _subfolder(root: Path, names: tuple[str, ...]) -> Path | None:
    """The first of these folders that itself holds folders (else it is a class)."""
    for name in names:
        subfolder = root / name
        if subfolder.is_dir() and any(entry.is_dir() for entry in subfolder.iterdir()):
            return subfolder
    return None
