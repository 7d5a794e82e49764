"""Files that appear whole or not at all."""

import os
import uuid
from collections.abc import Iterator
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
    temporary = target.with_name(f".{target.name[:100]}.{uuid.uuid4().hex}.tmp")
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


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open a folder to sync it
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
