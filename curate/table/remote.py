"""Places that are not on this machine (``s3://``, ``gs://``, ``hf://`` …), by pyarrow."""

import hashlib
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from curate.errors import CurateError
from curate.files import atomic_path, file_name

if TYPE_CHECKING:
    import pyarrow.fs as pafs

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_SHORTENED = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/[^/]")


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
        info = system.get_file_info(inside)
        if info.type == pafs.FileType.NotFound:
            raise CurateError(f"path: there is no file or folder {uri!r}")
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


def _download(system: "pafs.FileSystem", path: str, place: Path) -> None:
    with (
        atomic_path(place) as temporary,
        temporary.open("wb") as file,
        system.open_input_stream(path) as source,
    ):
        shutil.copyfileobj(source, file, 1 << 22)
