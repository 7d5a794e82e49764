"""Encoded images that stay on disk until one is asked for."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from curate.errors import CurateError

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa


Follow: TypeAlias = bool | tuple[Path, ...]
"""Whether files that the rows of a table point at are read: all, none, or those in these folders.

A table from a stranger may point anywhere, at private files too.
"""


def may_follow(path: str, follow: Follow) -> bool:
    """Whether a file that a row points at may be read; links are resolved first."""
    if isinstance(follow, bool):
        return follow
    if "://" in path or "::" in path:  # datasets would fetch it
        return False
    real = Path(os.path.realpath(path))
    return any(real.is_relative_to(os.path.realpath(folder)) for folder in follow)


class Encoded(Protocol):
    """The contents of n image files, by position; a list of bytes is one."""

    def __len__(self) -> int: ...
    def __getitem__(self, position: int, /) -> bytes: ...


class ImageFile(bytes):
    """The contents of one image file, told apart from other bytes."""


class Taken:
    """The images at some positions of a larger set."""

    def __init__(self, whole: Encoded, rows: np.ndarray) -> None:
        self.whole, self.rows = whole, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, position: int) -> bytes:
        return self.whole[int(self.rows[position])]


class Files:
    """The contents of files under one folder."""

    def __init__(self, root: str | os.PathLike[str], names: Sequence[str]) -> None:
        self.root, self.names = Path(root), names

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, position: int) -> bytes:
        path = self.root / self.names[position]
        try:
            return path.read_bytes()
        except OSError as error:
            raise CurateError(
                f"dataset: {str(path)!r} cannot be read ({error.strerror}); restore it, or load "
                "the folder again"
            ) from error


class Cells:
    """The image column of a Hugging Face data set, memory-mapped: bytes, or ``{bytes, path}``.

    A cell without bytes points at a file, which is read only where ``follow`` allows it.
    """

    def __init__(self, dataset: "datasets.Dataset", column: str, follow: Follow) -> None:
        self.column, self.follow = column, follow
        self.cells = dataset.select_columns(column).with_format("arrow")
        has_ids = "example_id" in dataset.column_names
        self._ids = dataset.select_columns("example_id") if has_ids else None
        self._stored = self._column()

    def _column(self) -> "pa.ChunkedArray | None":
        """The cells as they are stored, if that is their order.

        To fetch a cell through the data set takes a third as long as to decode a small JPEG.
        """
        in_order = getattr(self.cells, "_indices", self) is None
        return self.cells.data.column(self.column) if in_order else None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_stored": None}  # the data set is pickled by its file's name

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._stored = self._column()

    def __len__(self) -> int:
        return len(self.cells)

    def __getitem__(self, position: int) -> bytes:
        if self._stored is not None:
            cell = self._stored[position].as_py()
        else:
            cell = self.cells[position][self.column][0].as_py()
        content = cell["bytes"] if isinstance(cell, dict) else cell
        place = cell.get("path") if isinstance(cell, dict) else None
        if content is None and place and may_follow(place, self.follow):
            return Files(Path(place).parent, [Path(place).name])[0]
        if content is None:
            ids = self._ids
            named = "" if ids is None else f"example {ids[position]['example_id']!r}, in "
            raise CurateError(
                f"dataset: {named}row {position} of the column {self.column!r}, holds no image "
                "bytes, nor the path of a file inside the set; write the file again with the "
                "images inside, or leave the row out"
            )
        return content
