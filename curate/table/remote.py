"""Places that are not on this machine (``s3://``, ``gs://``, ``hf://`` …), by pyarrow."""

import hashlib
import io
import os
import re
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import pyarrow as pa

from curate.errors import CurateError
from curate.files import atomic_path, file_name

if TYPE_CHECKING:
    import pyarrow.fs as pafs

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_SHORTENED = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/[^/]")
_AT_ONCE = 1 << 18
"""Bytes that are fetched at least: what lies side by side needs no request of its own."""

_held = threading.local()
"""The file that a thread read from last, which stays open: the next read is often of it too."""


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Whether this is a URI such as ``s3://bucket/examples.parquet``.

    Raises:
        CurateError: a ``pathlib.Path`` of one, which lost a slash; or no name of a file.
    """
    text = file_name(path)
    if isinstance(path, Path) and _SHORTENED.match(text) and os.name != "nt":
        raise CurateError(
            f"path: {text!r} was a URI, of which pathlib drops a slash; give a string"
        )
    return bool(_URI.match(text))


def open_place(uri: str) -> "tuple[pafs.FileSystem, str]":
    """The file system of a URI and the path in it: pyarrow's own, else that of ``fsspec``.

    Raises:
        CurateError: a scheme that neither knows, or a place that cannot be reached.
    """
    import pyarrow.fs as pafs

    try:
        try:
            return pafs.FileSystem.from_uri(uri)
        except pa.ArrowInvalid:
            import fsspec

            system, path = fsspec.core.url_to_fs(uri)
            return pafs.PyFileSystem(pafs.FSSpecHandler(system)), path
    except Exception as error:
        raise unreachable(uri, error) from error


def unreachable(uri: str, error: Exception) -> CurateError:
    """The error for a place that cannot be reached."""
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return CurateError(
        f"path: {uri!r} cannot be reached ({reason}); check the name, the network and your "
        "credentials"
    )


def open_file(place: str) -> BinaryIO:
    """Open a file, here or at a URI, to be read at any position.

    Raises:
        CurateError: it is at a URI and there is none, or it cannot be reached.
        OSError: it is here and cannot be read.
    """
    if not is_remote(place):
        return open(place, "rb")
    system, path = open_place(place)
    try:
        return cast(BinaryIO, io.BufferedReader(system.open_input_file(path), _AT_ONCE))
    except Exception as error:  # each of the many libraries behind it has its own
        raise unreachable(place, error) from error


def read_at(place: str, offset: int, size: int) -> bytes:
    """Bytes of a file, here or at a URI, which is not fetched whole; fewer where it ends.

    Raises:
        CurateError, OSError: as :func:`open_file`.
    """
    if not is_remote(place):
        with open_file(place) as file:
            file.seek(offset)
            return file.read(size)
    key = (os.getpid(), place)  # a connection is of no use after a fork
    try:
        if getattr(_held, "key", None) != key:
            _held.file, _held.key = open_file(place), key
        _held.file.seek(offset)
        return _held.file.read(size)
    except CurateError:
        raise
    except Exception as error:
        _held.key = None
        raise unreachable(place, error) from error


def list_files(place: str) -> list[str]:
    """A file itself, or the files and folders of a folder, here or at a URI, in order.

    A folder ends in a slash.

    Raises:
        CurateError: there is nothing, or it cannot be reached.
    """
    import pyarrow.fs as pafs

    system, inside = open_place(place)
    try:
        info = _info(system, inside, place)
        if info.is_file:
            return [place]
        found = system.get_file_info(pafs.FileSelector(inside))
    except CurateError:
        raise
    except Exception as error:
        raise unreachable(place, error) from error
    root = place.rstrip("/")
    return sorted(f"{root}/{one.base_name}{'' if one.is_file else '/'}" for one in found)


def upload(file: Path, uri: str) -> None:
    """Copy a file of this machine to a URI; object stores show it when it is there whole.

    Raises:
        CurateError: the place cannot be reached or not be written to.
    """
    system, path = open_place(uri)
    try:
        system.create_dir(os.path.dirname(path), recursive=True)
        with file.open("rb") as source, system.open_output_stream(path) as target:
            shutil.copyfileobj(source, target, 1 << 22)
    except CurateError:
        raise
    except Exception as error:  # each of the many libraries behind it has its own
        raise unreachable(uri, error) from error


def local_copy(path: str | os.PathLike[str]) -> Path:
    """The path itself, or, of a URI, a copy of the file or folder in the cache of this machine.

    A copy is taken anew when the name, size or time of any file has changed.

    Raises:
        CurateError: there is nothing, or it cannot be reached.
    """
    import pyarrow.fs as pafs

    if not is_remote(path):
        return Path(path)
    uri = os.fspath(path)
    system, inside = open_place(uri)
    try:
        info = _info(system, inside, uri)
        files = [info]
        if info.type == pafs.FileType.Directory:
            found = system.get_file_info(pafs.FileSelector(inside, recursive=True))
            files = sorted((one for one in found if one.is_file), key=lambda one: one.path)
        facts = [(one.path, one.size, str(one.mtime)) for one in files]
        key = hashlib.sha256(repr((uri, facts)).encode()).hexdigest()[:16]
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "curate"
        target = cache / "remote" / key / (os.path.basename(inside.rstrip("/")) or "data")
        for one in files:
            place = target if info.is_file else target / os.path.relpath(one.path, inside)
            if not place.exists():
                _download(system, one.path, place)
    except CurateError:
        raise
    except Exception as error:  # each of the many libraries behind it has its own
        raise unreachable(uri, error) from error
    return target


def _info(system: "pafs.FileSystem", path: str, uri: str) -> "pafs.FileInfo":
    import pyarrow.fs as pafs

    info = system.get_file_info(path)
    if info.type == pafs.FileType.NotFound:
        raise CurateError(f"path: there is no file or folder {uri!r}")
    return info


def _download(system: "pafs.FileSystem", path: str, place: Path) -> None:
    with (
        atomic_path(place) as temporary,
        temporary.open("wb") as file,
        system.open_input_stream(path) as source,
    ):
        shutil.copyfileobj(source, file, 1 << 22)
