"""The folder of an export: what it may replace."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from curate.errors import CurateError
from curate.files import atomic_folder

PROVENANCE = "provenance.json"
WRITER = "curate.export"


@contextmanager
def export_folder(path: str | os.PathLike[str], overwrite: bool) -> Iterator[Path]:
    """A temporary folder to fill; it takes the name ``path`` when the block succeeds.

    Args:
        path: the folder to make; parents are made.
        overwrite: replace a folder that holds an earlier export, and nothing else.

    Raises:
        CurateError: there is something at ``path`` that may not be replaced.
        OSError: the disk is full or not writable; what was at ``path`` is untouched.
    """
    target = Path(os.path.realpath(path))  # through a link: what it points at is replaced
    try:
        with atomic_folder(target, partial(_check_replaceable, overwrite=overwrite)) as folder:
            yield folder
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(
            error.errno, f"no export to {str(target)!r} (what was there is untouched): {reason}"
        ) from error


def _check_replaceable(target: Path, overwrite: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise CurateError(f"path: {str(target)!r} is a file; give a folder that is not there yet")
    present = {entry.name for entry in target.iterdir()}
    if not present:
        return
    if not overwrite:
        raise CurateError(
            f"path: the folder {str(target)!r} is not empty; give another, or overwrite=True to "
            "replace an earlier export"
        )
    foreign = sorted(present - _exported(target))
    if foreign:
        raise CurateError(
            f"path: overwrite=True replaces earlier exports only, and {str(target)!r} holds "
            f"{foreign[0]!r}, which no export wrote; give another folder"
        )


def _exported(folder: Path) -> set[str]:
    """The names that the export in this folder wrote; none if there is no export in it."""
    try:
        written = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
        if written["written_by"] != WRITER:
            return set()
        return {str(name) for name in written["contents"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()
