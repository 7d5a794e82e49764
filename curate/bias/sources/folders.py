"""A source from a folder of images, with or without class folders."""

from pathlib import Path

import numpy as np

from curate.bias.sources.source import Source
from curate.data.encoded import Files
from curate.data.formats.images import find_images, warn_left_out
from curate.data.holdout import TEST_NAMES, TRAIN_NAMES
from curate.data.ids import checked_ids
from curate.errors import CurateError


def folder_source(name: str, root: Path) -> Source:
    """All images at any depth of a folder; ids are their paths inside it.

    Where every image lies in a folder, the outermost folders are its classes, or, in ``train/``
    and ``test/`` (or ``val/`` …) folders, those inside. What counts as an image is the rule of
    :func:`curate.data.folder`. Other files in the folder, but for those beside its class folders,
    are left out and named.

    Raises:
        CurateError: there are no images.
    """
    found = find_images(root)
    names = sorted(found.names)
    if not names:
        raise CurateError(
            f"sources: the folder {str(root)!r} of {name!r} holds no images (.png, .jpg, .webp …); "
            "give one that does"
        )
    flat = any("/" not in name for name in names)  # else what lies beside the classes is no part
    left_out = {path: reason for path, reason in found.left_out.items() if flat or "/" in path}
    warn_left_out(left_out, str(root))
    classes = _classes(names)
    class_names = None if classes is None else tuple(sorted(set(classes)))
    index = {label: number for number, label in enumerate(class_names or ())}
    return Source(
        name,
        checked_ids(names, len(names)),
        encoded=Files(root, names),
        labels=None if classes is None else np.array([index[label] for label in classes], np.int64),
        class_names=class_names,
        left_out=left_out,
    )


def _classes(names: list[str]) -> list[str] | None:
    """The class of every image by its folder, or None where some image has none."""
    folders = [name.split("/")[:-1] for name in names]
    if all(parts and parts[0] in (*TRAIN_NAMES, *TEST_NAMES) for parts in folders):
        folders = [parts[1:] for parts in folders]
    return [parts[0] for parts in folders] if all(folders) else None
