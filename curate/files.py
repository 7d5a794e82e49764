"""Files and folders that appear whole or not at all."""

import errno
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from curate.errors import CurateError

_FILE = re.compile(r"\..*\.[0-9a-f]{32}\.tmp", re.DOTALL)
_LOCK = re.compile(r"\.curate-[0-9a-f]{32}\.lock")


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary sibling of ``path`` to write to; it takes the name when the block succeeds.

    Parent folders are made. The content is synced to disk before the rename, so that after a
    crash ``path`` holds the old content or the new one. On an error nothing is left behind, and
    what killed processes left in the folder is removed. Through a link its target is replaced.

    Raises:
        CurateError: ``path`` is a folder, or no name that a file can have.
        OSError: the disk is full or not writable; the message names ``path``.
    """
    target = _resolved(path)
    if target.is_dir():
        raise CurateError(f"path: {str(target)!r} is a folder; give a file name inside it")
    # of a long name only the beginning: file systems take 255 bytes, with the mark
    start = os.fsencode(target.name)[:100].decode(errors="ignore")
    temporary = target.with_name(f".{start}.{uuid.uuid4().hex}.tmp")
    lock: int | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        lock = _locked(temporary)
        yield temporary
        sync(temporary)
        os.replace(temporary, target)
        sync(target.parent)
    except RuntimeError as error:
        if "PytorchStreamWriter" not in str(error) and "inline_container" not in str(error):
            raise
        # torch.save does not pass on what the system said
        raise _not_written(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), target) from error
    except OSError as error:
        raise _not_written(error, target) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        _unlock(lock)


@contextmanager
def atomic_folder(target: Path, check: Callable[[Path], None]) -> Iterator[Path]:
    """A temporary sibling of ``target`` to fill; it takes the name when the block succeeds.

    On any error, also an interrupt, nothing is left behind and what was at ``target`` is there
    still. What killed processes left beside it is removed; a folder that one had moved away is
    moved back. The names in the folder are synced to disk before the rename; what its files hold
    is for the block to sync (:func:`sync`).

    Args:
        target: the folder to make; parents are made.
        check: raises where ``target`` may not be replaced; called before the block and after it.

    Raises:
        OSError: the disk is full or not writable.
    """
    target = _resolved(target)
    with suppress(OSError):  # there may be nothing yet
        _sweep(target.parent)
    check(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    lock_file, temporary, old = _siblings(target.with_name(f".curate-{uuid.uuid4().hex}.lock"))
    lock = _locked(lock_file)
    try:
        if lock is not None:  # whoever sweeps after a kill must know what was moved away
            os.write(lock, os.fsencode(target.name))
            os.fsync(lock)
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
        with suppress(OSError):
            lock_file.unlink(missing_ok=True)
        _unlock(lock)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open a folder to sync it
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_name(path: object) -> str:
    """A path as text, if a file can have that name.

    Raises:
        CurateError: no text or ``os.PathLike``, an empty one, a zero byte, more than 4095 bytes,
            or a part that is longer than 255.
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str):
        raise CurateError(f"path: {path!r} is a {type(path).__name__}; give a string or a Path")
    try:
        name = os.fsencode(text)
    except UnicodeEncodeError:
        name = b""
    long = len(name) > 4095 or any(len(part) > 255 for part in name.split(b"/"))
    if not name or long or b"\0" in name:
        shown = text if len(text) <= 80 else text[:79] + "…"
        raise CurateError(f"path: {shown!r} is no name that a file can have; give another")
    return text


def _resolved(path: str | os.PathLike[str]) -> Path:
    text = file_name(path)
    return Path(os.path.realpath(text)) if os.path.islink(text) else Path(text)


def _not_written(error: OSError, target: Path) -> OSError:
    reason = error.strerror or str(error)
    return OSError(
        error.errno, f"could not write {str(target)!r} (what was there is untouched): {reason}"
    )


# A process that is killed can remove nothing. So it holds a lock, which goes with it, on whatever
# it would leave: on a temporary file, and on the ``.lock`` file beside a temporary folder.


def _locked(path: Path) -> int | None:
    """Make a file and lock it; None where the system has no such locks."""
    if os.name == "nt":
        return None
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if not _lock(descriptor):
                os.close(descriptor)
                path.unlink(missing_ok=True)
                return None
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)  # swept before it was locked: once more


def _lock(descriptor: int) -> bool:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held by another, or a file system without locks
        return False
    return True


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until no other process is in here with this folder; no lock where there are none."""
    if os.name == "nt":
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _unlock(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Remove what killed processes left in a folder; whoever is at work holds a lock."""
    if os.name == "nt":
        return
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(".")]
    for name in names:
        is_file = _FILE.fullmatch(name) is not None
        if not is_file and _LOCK.fullmatch(name) is None:
            continue
        with suppress(OSError), _only_user_of(folder / name):
            if not is_file:
                _restore(folder / name)
            (folder / name).unlink(missing_ok=True)


@contextmanager
def _only_user_of(path: Path) -> Iterator[None]:
    """Raises OSError where another process holds the lock of a file, or it is no file."""
    if path.is_dir():
        raise OSError(errno.EISDIR, "a folder", str(path))
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        if not _lock(descriptor):
            raise OSError(errno.EWOULDBLOCK, "in use", str(path))
        yield
    finally:
        os.close(descriptor)


def _restore(lock_file: Path) -> None:
    """Finish for a killed :func:`atomic_folder`: what it had moved away is moved back."""
    _, temporary, old = _siblings(lock_file)
    name = os.fsdecode(lock_file.read_bytes())
    if old.exists() and name and not lock_file.with_name(name).exists():
        os.replace(old, lock_file.with_name(name))
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _siblings(lock_file: Path) -> tuple[Path, Path, Path]:
    """The lock of a folder that is being made, the folder, and where the old one is moved."""
    return lock_file, lock_file.with_suffix(".tmp"), lock_file.with_suffix(".old")
