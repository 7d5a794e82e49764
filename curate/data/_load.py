"""One call for every data set that the command line can name."""

import os
from typing import Literal

from curate.data.example_set import ExampleSet
from curate.data.formats.folder import folder
from curate.data.formats.hub import hub
from curate.data.formats.parquet import holds_tables, parquet
from curate.data.formats.webdataset import holds_shards, webdataset
from curate.data.known.cifar10 import cifar10
from curate.data.known.digits import digits
from curate.data.known.mnist import mnist
from curate.errors import CurateError, is_choice
from curate.files import file_name
from curate.table.remote import is_remote, local_copy

KNOWN = ("digits", "mnist", "cifar10")
"""Sets that go by their names, whatever folder is called so."""


def load(
    name_or_path: str | os.PathLike[str],
    split: str = "train",
    root: str | os.PathLike[str] | None = None,
    *,
    size: int | tuple[int, int] | None = None,
    errors: Literal["raise", "skip"] = "raise",
) -> ExampleSet:
    """Load a data set by name, path or Hugging Face name, with ids.

    A set without a test split of its own is divided once and for all: a stratified fifth,
    chosen by a hash of the ids (:func:`curate.data.held_out`), is its test split.

    Args:
        name_or_path: "digits" (inside scikit-learn), "mnist", "cifar10", "hf:NAME" or
            "hf:NAME:CONFIG", an image folder (:func:`folder`), or a Parquet or Arrow file or a
            folder of them (:func:`parquet`), or tar shards (:func:`webdataset`); these also at a
            URI (``s3://``, ``gs://``, ``hf://`` …) that pyarrow or fsspec opens, of which a copy
            is kept in the cache.
        split: "train" or "test".
        root: where copies of "mnist" and "cifar10" lie; None: the environment variable
            CURATE_DATA names the folder; without a copy, torchvision downloads one.
        size: (height, width), or the side of a square, for image folders, tables of images and
            Hugging Face sets; None: the median of the training images, at most 224 per side.
        errors: "raise" names the first broken image when it is met; "skip" decodes every image
            once, now, and leaves the broken ones out with a warning that counts them
            (``.left_out``).

    Raises:
        CurateError: an unknown name or split, or a set that cannot be read or downloaded.

    Example:
        >>> data = load("digits")
        >>> image, label, example_id = data[0]
        >>> image.shape, label, example_id
        (torch.Size([1, 8, 8]), 0, 0)
    """
    if not is_choice(split, ("train", "test")):
        raise CurateError(f"split: {split!r}; give 'train' or 'test'")
    name = file_name(name_or_path)
    if name in KNOWN:
        if size is not None:
            raise CurateError(f"size: the images of {name!r} have one size; leave it out")
        if name == "digits":
            return digits(split)
        return mnist(split, root) if name == "mnist" else cifar10(split, root)
    if name.startswith("hf:") and not is_remote(name):
        return hub(name.removeprefix("hf:"), split, size, errors)
    path = local_copy(name_or_path)
    if holds_tables(path):
        return parquet(path, split=split, size=size, errors=errors)
    if path.exists() and holds_shards(path):
        return webdataset(path, split=split, size=size, errors=errors)
    if path.is_dir():
        return folder(path, split=split, size=size, errors=errors)
    if path.exists():
        raise CurateError(
            f"name_or_path: {name!r} is neither a folder nor a .parquet, .arrow or .tar file"
        )
    raise CurateError(
        f"name_or_path: {name!r} is no file or folder here and no known set; give digits, mnist, "
        "cifar10, hf:NAME or a path"
    )
