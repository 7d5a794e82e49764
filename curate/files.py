"""Files and folders that appear whole or not at all."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from curate.errors import CurateError


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary sibling of ``path`` to write to; it takes the name when the block succeeds.

    Parent folders are made. The content is synced to disk before the rename, so that after a
    crash ``path`` holds the old content or the new one. On an error nothing is left behind.

    Raises:
        CurateError: ``path`` is a folder.
        OSError: the disk is full or not writable; the message names ``path``.
    """
    target = Path(path)
    if target.is_dir():
        raise CurateError(f"path: {str(target)!r} is a folder; give a file name inside it")
    # of a long name only the beginning: file systems take 255 bytes, with the mark
    start = os.fsencode(target.name)[:100].decode(errors="ignore")
    temporary = target.with_name(f".{start}.{uuid.uuid4().hex}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        sync(temporary)
        os.replace(temporary, target)
        sync(target.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(
            error.errno, f"could not write {str(target)!r} (what was there is untouched): {reason}"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(target: Path, check: Callable[[Path], None]) -> Iterator[Path]:
    """A temporary sibling of ``target`` to fill; it takes the name when the block succeeds.

    On any error, also an interrupt, nothing is left behind and what was at ``target`` is there
    still. The names in the folder are synced to disk before the rename; what its files hold is
    for the block to sync (:func:`sync`).

    Args:
        target: the folder to make; parents are made.
        check: raises where ``target`` may not be replaced; called before the block and after it.

    Raises:
        OSError: the disk is full or not writable.
    """
    check(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    mark = uuid.uuid4().hex
    temporary, old = (target.with_name(f".curate-{mark}.{kind}") for kind in ("tmp", "old"))
    try:
        temporary.mkdir()
        yield temporary
        sync(temporary)
        check(target)  # someone may have made it meanwhile
        if target.exists():
            os.replace(target, old)
        os.replace(temporary, target)
        sync(target.parent)
    finally:
        if old.exists() and not target.exists():
            os.replace(old, target)
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open a folder to sync it
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
