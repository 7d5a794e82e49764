"""Folders of tables that are partitioned by folder names (``label=cat/``), as Spark writes them."""

from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import TYPE_CHECKING
from urllib.parse import unquote

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import datasets

_NULL = "__HIVE_DEFAULT_PARTITION__"


def partition_folders(folder: Path) -> Iterator[Path]:
    """The folders at any depth whose names are ``key=value`` all the way down."""
    for entry in folder.iterdir():
        if "=" in entry.name and not entry.name.startswith((".", "_")) and entry.is_dir():
            yield entry
            yield from partition_folders(entry)


def partition_values(file: PurePath) -> dict[str, str | None]:
    """What the folders of a file say, as text: ``{"label": "cat"}`` for ``label=cat/0.parquet``."""
    pairs = [part.partition("=") for part in file.parent.parts if "=" in part]
    return {key: None if value == _NULL else unquote(value) for key, _, value in pairs}


def with_partition_columns(
    rows: "datasets.Dataset", said: list[dict[str, str | None]], counts: list[int]
) -> "datasets.Dataset":
    """The rows with a column for every key: int64 where all its values are, else text.

    Args:
        rows: those of all files, in order.
        said: what the folders of each file say.
        counts: the number of rows of each file.
    """
    keys = dict.fromkeys(key for values in said for key in values)
    for key in keys:
        if key in rows.column_names:  # the file knows best
            continue
        values = [values.get(key) for values in said]
        whole = all(value is None or _is_integer(value) for value in values)
        distinct = pa.array(
            [None if value is None else int(value) if whole else value for value in values],
            pa.int64() if whole else pa.string(),
        )
        places = pa.array(np.repeat(np.arange(len(counts)), counts))
        rows = rows.add_column(key, distinct.take(places))
    return rows


def _is_integer(text: str) -> bool:
    return text.removeprefix("-").isascii() and text.removeprefix("-").isdigit()
