"""Where copies of the well-known data sets lie, and downloading them when there is none."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from curate.errors import CurateError
from curate.files import file_name


def find_copy(root: str | os.PathLike[str] | None, *names: str) -> Path | None:
    """The first existing file of these names under ``root``, else CURATE_DATA."""
    for folder in _folders(root):
        for name in names:
            if (folder / name).exists():
                return folder / name
    return None


def download(name: str, root: str | os.PathLike[str] | None, loader: Callable[[str], Any]) -> Any:
    """What torchvision's loader gives for a folder of its own, downloaded into it if need be.

    Raises:
        CurateError: the download failed.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "curate"
    folder = cache if root is None else Path(root)
    try:
        return loader(str(folder))
    except (OSError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CurateError(
            f"name_or_path: there is no local copy of {name!r} and downloading one into "
            f"{str(folder)!r} failed ({reason}); name the folder of a copy with --data or "
            "CURATE_DATA"
        ) from error


def _folders(root: str | os.PathLike[str] | None) -> list[Path]:
    if root is not None:
        if not Path(file_name(root)).is_dir():
            raise CurateError(f"root: there is no folder {os.fspath(root)!r}")
        return [Path(root)]
    named = os.environ.get("CURATE_DATA")
    return [Path(named)] if named else []
