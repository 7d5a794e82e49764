"""The folder of an export: what it may replace."""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from curate import table as tables
from curate.errors import CurateError
from curate.files import atomic_folder
from curate.table.remote import is_remote

PROVENANCE = "provenance.json"
WRITER = "curate.export"
CARD = "README.md"
INDEX = "metadata.parquet"  # of an image folder; the name under which Hugging Face finds it
_SHARD = re.compile(r"data/train-\d{5}-of-\d{5}\.parquet")


@contextmanager
def export_folder(path: str | os.PathLike[str], overwrite: bool) -> Iterator[Path]:
    """A temporary folder to fill; it takes the name ``path`` when the block succeeds.

    Args:
        path: the folder to make; parents are made.
        overwrite: replace a folder in which every file was written by an earlier export and
            stayed as it was, and nothing else.

    Raises:
        CurateError: there is something at ``path`` that may not be replaced.
        OSError: the disk is full or not writable; what was at ``path`` is untouched.
    """
    target = _target(path)
    try:
        with atomic_folder(target, partial(_check_replaceable, overwrite=overwrite)) as folder:
            yield folder
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(
            error.errno, f"no export to {str(target)!r} (what was there is untouched): {reason}"
        ) from error


def check_place(path: str | os.PathLike[str], overwrite: bool) -> None:
    """Raise what :func:`export_folder` would raise for the path, without making anything."""
    _check_replaceable(_target(path), overwrite)


def _target(path: str | os.PathLike[str]) -> Path:
    if is_remote(path):
        raise CurateError(
            f"path: {os.fspath(path)!r} is not on this machine; export to a folder here, then copy "
            "it there (pyarrow.fs.copy_files)"
        )
    return Path(os.path.realpath(path))  # through a link: what it points at is replaced


def listed(folder: Path) -> list[dict[str, Any]]:
    """Every file of an export for its provenance: ``path`` and ``bytes``, of the card its hash.

    Pictures of an image folder are left to its index, which names them all. The provenance itself
    is not there yet.
    """
    pictures = _pictures(folder)
    entries: list[dict[str, Any]] = [{"path": PROVENANCE}]
    for path in sorted(_files(folder) - pictures):
        entry: dict[str, Any] = {"path": path, "bytes": (folder / path).stat().st_size}
        if path == CARD:
            entry["sha256"] = _hash(folder / path)
        entries.append(entry)
    return entries


def _check_replaceable(target: Path, overwrite: bool) -> None:
    for place in target.parents:
        if place.exists() and not place.is_dir():
            raise CurateError(f"path: {str(place)!r} is a file; give a folder in a folder")
    if not target.exists():
        return
    if not target.is_dir():
        raise CurateError(f"path: {str(target)!r} is a file; give a folder that is not there yet")
    if not any(target.iterdir()):
        return
    if not overwrite:
        raise CurateError(
            f"path: the folder {str(target)!r} is not empty; give another, or overwrite=True to "
            "replace an earlier export"
        )
    written = _exported(target)
    for path in sorted(_files(target)):
        if path not in written:
            raise CurateError(
                f"path: overwrite=True replaces earlier exports only, and {str(target)!r} holds "
                f"{path!r}, which no export wrote; move it away or give another folder"
            )
        entry = written[path]
        size = (target / path).stat().st_size
        changed = entry.get("bytes", size) != size
        if changed or ("sha256" in entry and entry["sha256"] != _hash(target / path)):
            raise CurateError(
                f"path: {path!r} in {str(target)!r} was changed since it was exported; move it "
                "away or give another folder"
            )


def _exported(folder: Path) -> dict[str, dict[str, Any]]:
    """What the export in this folder wrote, by path; nothing if there is no export in it."""
    try:
        told = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
        if told["written_by"] != WRITER:
            return {}
        entries = [{"path": one} if isinstance(one, str) else dict(one) for one in told["contents"]]
        written = {str(entry["path"]): entry for entry in entries}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    if "data" in written:  # once the folders at the top were listed, not what is in them
        written |= {path: {} for path in _files(folder) if _SHARD.fullmatch(path)}
    if INDEX in written:
        written |= {path: {} for path in _pictures(folder)}
    return written


def _pictures(folder: Path) -> set[str]:
    """The files that the index of an exported image folder names; none if there is no index."""
    try:
        return set(tables.read(folder / INDEX, ["file_name"])["file_name"].to_pylist())
    except CurateError:
        return set()


def _files(folder: Path) -> set[str]:
    """The paths of all that is in a folder but folders; a link is a file, wherever it leads."""
    found = set()
    for place, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        found |= {
            Path(os.path.relpath(os.path.join(place, name), folder)).as_posix()
            for name in [*files, *links]
        }
    return found


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
