"""Image folders: one folder per class."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from curate.data.depth import Depth
from curate.data.encoded import Files
from curate.data.example_set import ExampleSet
from curate.data.formats.images import find_images, image_endings, is_visible, warn_left_out
from curate.data.formats.whole import check_errors, whole_images
from curate.data.holdout import TEST_NAMES, TRAIN_NAMES, split_rows
from curate.data.ids import checked_ids
from curate.data.pixels import common_shape
from curate.errors import CurateError
from curate.table.remote import local_copy

if TYPE_CHECKING:
    from torchvision.datasets import ImageFolder


class _Scan(NamedTuple):
    """The images of a folder: paths inside it, by class, and what was not taken."""

    root: Path
    names: list[str]
    labels: np.ndarray
    classes: list[str]
    left_out: dict[str, str]


def folder(
    path: str | os.PathLike[str],
    *,
    split: str | None = None,
    size: int | tuple[int, int] | None = None,
    errors: Literal["raise", "skip"] = "raise",
) -> ExampleSet:
    """Load a folder of images with one subfolder per class, as torchvision's ``ImageFolder``.

    The ids are the files' paths inside the folder, as ``"class/file.png"``. Images stay on disk
    and are decoded when asked for. Every file that Pillow here can open counts, whatever its
    format; what is hidden (a name that starts with a dot) or the system's (``__MACOSX`` …) is no
    part of the set. Other files in the class folders are left out with a warning, and named in
    ``.left_out``.

    Args:
        path: the folder that holds the class folders, or ``train/`` and ``test/`` (or
            ``val/`` …) folders that do.
        split: None: all images. "train" or "test": the folder of that name; without one,
            a stratified fifth of the images is the test split (:func:`curate.data.load`).
        size: (height, width), or the side of a square, that samples are stretched to; None: the
            median of the (training) images, at most 224 a side.
        errors: "raise" names the first broken image when it is met; "skip" decodes every image
            once, now, and leaves the broken ones out with a warning that counts them.

    Raises:
        CurateError: no such folder, no class folders, no images.
    """
    check_errors(errors)
    if split is not None and split not in ("train", "test"):
        raise CurateError(f"split: {split!r}; give 'train' or 'test'")
    root = local_copy(path)
    if not root.is_dir():
        raise CurateError(f"path: there is no folder {str(root)!r}")
    train, test = _subfolder(root, TRAIN_NAMES), _subfolder(root, TEST_NAMES)
    if train is None or test is None:
        whole = reference = _scan(root)
        if split is None:
            return _loaded(whole, None, reference, size, errors)
        ids = checked_ids(whole.names, len(whole.names))
        rows = split_rows(whole.labels, ids, split)
        return _loaded(whole, rows, reference, size, errors)
    if split is None:
        raise CurateError(
            f"split: {str(root)!r} has the splits {train.name!r} and {test.name!r}; give "
            "split='train' or split='test'"
        )
    reference = _scan(train)
    if split == "train":
        return _loaded(reference, None, reference, size, errors)
    testing = _scan(test)
    unknown = sorted(set(testing.classes) - set(reference.classes))
    if unknown:
        raise CurateError(
            f"path: the class {unknown[0]!r} is in {str(test)!r} but not in {str(train)!r}; "
            "both need the same classes"
        )
    numbers = np.array([reference.classes.index(name) for name in testing.classes], np.int64)
    testing = testing._replace(labels=numbers[testing.labels], classes=reference.classes)
    return _loaded(testing, None, reference, size, errors)


def _scan(root: Path) -> _Scan:
    found = find_images(root)
    if not found.folders:
        raise CurateError(
            f"path: {str(root)!r} holds no class folders; put the images into one folder per class"
        )
    inside = [name for name in found.names if "/" in name]
    if not inside:
        raise CurateError(
            f"path: the folders in {str(root)!r} hold no images (.png, .jpg, .webp …); put the "
            "images into one folder per class"
        )
    # by class, then as torchvision walks a class: folder by folder
    inside.sort(key=lambda name: (name.split("/", 1)[0], *name.rsplit("/", 1)))
    number_of = {name: number for number, name in enumerate(found.folders)}
    labels = np.array([number_of[name.split("/", 1)[0]] for name in inside], np.int64)
    left_out = {name: reason for name, reason in found.left_out.items() if "/" in name}
    outside = dict.fromkeys(set(found.names) - set(inside), "an image outside of any class folder")
    return _Scan(root, inside, labels, found.folders, {**dict(sorted(outside.items())), **left_out})


def _loaded(
    scan: _Scan,
    rows: np.ndarray | None,
    reference: _Scan,
    size: int | tuple[int, int] | None,
    errors: str,
) -> ExampleSet:
    """These rows of a folder, in the shape and depth of the folder that is the reference."""
    skip = errors == "skip"
    examined = Files(reference.root, reference.names)
    shape = common_shape(examined, size, reference.names, skip=skip)
    rows = np.arange(len(scan.names)) if rows is None else rows
    names = [scan.names[row] for row in rows.tolist()]
    left_out = dict(scan.left_out)
    if skip:
        kept, broken = whole_images(Files(scan.root, names), names)
        rows, names = rows[kept], [names[row] for row in kept.tolist()]
        left_out = {**broken, **left_out}
    warn_left_out(left_out, str(scan.root))
    return ExampleSet(
        checked_ids(names, len(names)),
        scan.labels[rows],
        scan.classes,
        shape=shape,
        encoded=Files(scan.root, names),
        dataset=_image_folder(scan),
        depth=Depth(examined),
        left_out=left_out,
    )


def _image_folder(scan: _Scan) -> "ImageFolder":
    """The same images as torchvision's data set, whose own rule for what counts is another."""
    from torchvision.datasets import ImageFolder

    made = ImageFolder(str(scan.root), is_valid_file=lambda _: False, allow_empty=True)
    made.classes = scan.classes
    made.class_to_idx = {name: number for number, name in enumerate(scan.classes)}
    places = [str(scan.root / name) for name in scan.names]
    made.samples = made.imgs = list(zip(places, scan.labels.tolist(), strict=True))
    made.targets = scan.labels.tolist()
    made.extensions = tuple(sorted(image_endings()))
    return made


def _subfolder(root: Path, names: tuple[str, ...]) -> Path | None:
    """The first of these folders that itself holds folders (else it is a class)."""
    for name in names:
        subfolder = root / name
        if subfolder.is_dir() and any(
            entry.is_dir() and is_visible(entry.name) for entry in subfolder.iterdir()
        ):
            return subfolder
    return None
