"""The files of an image folder: one rule, for the whole library, of what counts."""

import os
import warnings
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from curate.errors import CurateWarning

_SYSTEM = {
    "__macosx",
    "__pycache__",
    "@eadir",
    "#recycle",
    "$recycle.bin",
    "lost+found",
    "system volume information",
    "desktop.ini",
    "icon\r",
    "thumbs.db",
}
"""Names, in lower case, that operating systems and their tools leave in folders."""

_NO_PICTURES = {"BUFR", "EPS", "FITS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF"}
"""Formats of Pillow's list that it cannot decode by itself, or that hold no picture to train on."""


class FoundImages(NamedTuple):
    """What lies in an image folder.

    Attributes:
        names: the images' paths inside the folder, with ``/``, in no particular order.
        folders: the visible folders directly inside it, sorted.
        left_out: why each other file was not taken, by its path.
    """

    names: list[str]
    folders: list[str]
    left_out: dict[str, str]


def find_images(root: Path) -> FoundImages:
    """All images at any depth of a folder: every file whose ending Pillow here can open.

    What is hidden (its name starts with a dot) or belongs to the system is no part of the data
    set. Links are followed, but for those to a folder further out.
    """
    found = FoundImages([], sorted(name for name, is_dir in _visible(root) if is_dir), {})
    _walk(root, "", frozenset(), found)
    return found


def is_visible(name: str) -> bool:
    """Whether a file or folder of this name is neither hidden nor the system's."""
    return not name.startswith(".") and name.lower() not in _SYSTEM


@cache
def image_endings() -> frozenset[str]:
    """The endings, such as ".png", of the files that Pillow here can open, in lower case."""
    from PIL import Image

    Image.init()
    return frozenset(
        ending
        for ending, format in Image.registered_extensions().items()
        if format in Image.OPEN and format not in _NO_PICTURES
    )


def warn_left_out(left_out: Mapping[Any, str], place: str) -> None:
    """Say in one sentence how many were not taken, why, and which is the first; or nothing."""
    if not left_out:
        return
    counts = Counter(left_out.values())
    reasons = "; ".join(f"{count:,} {reason}" for reason, count in counts.most_common(3))
    more = "; …" if len(counts) > 3 else ""
    warnings.warn(
        f"{place!r}: {len(left_out):,} left out, such as {next(iter(left_out))!r} "
        f"({reasons}{more}); all are in .left_out",
        CurateWarning,
        stacklevel=3,
    )


def _walk(root: Path, inside: str, outer: frozenset[tuple[int, int]], found: FoundImages) -> None:
    status = (root / inside).stat()
    here = status.st_dev, status.st_ino
    if here in outer:  # a link to a folder further out
        return
    for name, is_dir in _visible(root / inside):
        path = f"{inside}/{name}" if inside else name
        if is_dir:
            _walk(root, path, outer | {here}, found)
        elif PurePosixPath(name).suffix.lower() in image_endings():
            found.names.append(path)
        else:
            found.left_out[path] = _reason(name)


def _visible(folder: Path) -> list[tuple[str, bool]]:
    with os.scandir(folder) as entries:
        return sorted((entry.name, entry.is_dir()) for entry in entries if is_visible(entry.name))


def _reason(name: str) -> str:
    ending = PurePosixPath(name).suffix.lower()
    return f"of a kind that Pillow does not open ({ending})" if ending else "without an ending"
