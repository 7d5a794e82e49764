"""Parquet and Arrow files with an image or a feature column."""

import hashlib
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from curate.data.example_set import ExampleSet
from curate.data.formats.columns import Columns, load_columns
from curate.data.formats.hugging_face import column_of, with_id_column
from curate.data.formats.partitions import (
    partition_folders,
    partition_values,
    with_partition_columns,
)
from curate.data.holdout import TEST_NAMES, TRAIN_NAMES
from curate.errors import CurateError, CurateWarning
from curate.table._read import parquet_rows, parquet_schema
from curate.table.remote import local_copy

if TYPE_CHECKING:
    import datasets

_FORMATS = {".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow"}


def parquet(
    path: str | os.PathLike[str],
    *,
    split: str | None = None,
    column: str | None = None,
    label_column: str | None = None,
    id_column: str | None = None,
    size: int | tuple[int, int] | None = None,
    errors: Literal["raise", "skip"] = "raise",
) -> ExampleSet:
    """Load a Parquet or Arrow file, or a folder of them, with images or feature vectors.

    Images are encoded bytes, or Hugging Face's ``{bytes, path}``; they are decoded when asked
    for. The ``datasets`` library keeps a memory-mapped copy of the file in its cache. Features
    are lists of numbers of one length and are held in memory. Labels are class indices or
    class names (numbered in sorted order).

    Args:
        path: the file or folder; files of a folder may be named for a split
            (``train-00000-of-00001.parquet``, ``test/…``), also in a folder ``data``, and may lie
            in folders named ``key=value``, as Spark and pandas write them: each key is a column.
        split: None: all rows. "train" or "test": the split of that name (of the files, or of a
            text column ``split``); without one, a stratified fifth of the rows is the test
            split (:func:`curate.data.load`).
        column: the image or feature column; None: chosen by type and name.
        label_column: None: a ``ClassLabel``, or "label", "labels", "class", "target", "y".
        id_column: of unique integers or strings; None: "example_id", else row numbers.
        size: as for :func:`curate.data.load`.
        errors: "raise" names the first broken image when it is met; "skip" decodes every image
            once, now, and leaves the broken ones out with a warning that counts them
            (``.left_out``).

    Raises:
        CurateError: no such file, a torn one, or columns that are missing or unusable.
    """
    splits = open_tables(local_copy(path))
    if split is not None and len(splits) == 1:
        splits = _by_split_column(next(iter(splits.values())))
    return load_columns(
        splits,
        split,
        columns=Columns(column, label_column, id_column),
        size=size,
        follow=False,
        errors=errors,
    )


def holds_tables(path: Path) -> bool:
    """Whether this is a Parquet or Arrow file, or a folder with such files (and no images)."""
    return path.suffix in _FORMATS if path.is_file() else bool(_files(path))


def rows_of(path: Path, columns: list[str], filters: list[tuple[str, str, Any]]) -> pa.Table:
    """These columns of the rows that pass, read straight from a Parquet file, not cached."""
    import datasets

    with _reading(path):
        rows = datasets.load_dataset(
            "parquet",
            data_files=str(path),
            split="train",
            streaming=True,
            columns=columns,
            filters=filters,
        )
        batches = list(rows.with_format("arrow").iter(batch_size=10_000))
    return pa.concat_tables(batches) if batches else pa.table({name: [] for name in columns})


def open_tables(path: Path) -> Mapping[str, "datasets.Dataset"]:
    """All rows of a file or folder, memory-mapped, by the splits that its files are named for."""
    import datasets

    if not path.exists():
        raise CurateError(f"path: there is no file or folder {str(path)!r}")
    files = _files(path) if path.is_dir() else [path]
    formats = {_FORMATS.get(file.suffix) for file in files}
    if len(formats) != 1 or None in formats:
        raise CurateError(
            f"path: {str(path)!r} is not, or does not hold only, .parquet or only .arrow files"
        )
    splits: dict[str, list[str]] = {}
    for file in files:
        splits.setdefault(split_of(file.relative_to(path)), []).append(str(file))
    if len(splits) > 1 and "" in splits:
        raise CurateError(
            f"path: {splits[''][0]!r} is named for no split, unlike other files in {str(path)!r}; "
            "name all of them for a split, or none"
        )
    format = formats.pop() or ""
    with _reading(path):
        loaded = datasets.load_dataset(
            format,
            _version(files),
            data_files={name or "train": names for name, names in splits.items()},
            **_readable_columns(files, format),
        )
        return {
            name: _with_folder_names(loaded[name or "train"], path, names, format)
            for name, names in splits.items()
        }


def _version(files: list[Path]) -> str:
    """A name for the state of the files: a cache that goes by their times alone can be stale.

    ``cp -p``, an archive or a sync sets back the time of a change, but not that of the entry.
    """
    facts = [(str(file), (status := file.stat()).st_size, status.st_ctime_ns) for file in files]
    return f"curate-{hashlib.sha256(repr(facts).encode(errors='replace')).hexdigest()[:16]}"


def _readable_columns(files: list[Path], format: str) -> dict[str, Any]:
    """The options that leave out columns of a type that ``datasets`` lacks, after saying so."""
    from datasets import Features

    if format != "parquet":
        return {}
    schema = parquet_schema(files[0])
    lacking = []
    for field in schema:
        try:
            Features.from_arrow_schema(pa.schema([field]))
        except ValueError:
            lacking.append(field)
    if not lacking:
        return {}
    warnings.warn(
        f"{files[0].name!r}: the column {lacking[0].name!r} of type {lacking[0].type} is left out"
        + (f", and {len(lacking) - 1} more" if len(lacking) > 1 else "")
        + "; Hugging Face's datasets has no such type",
        CurateWarning,
        stacklevel=4,
    )
    kept = [field for field in schema if field not in lacking]
    features = Features.from_arrow_schema(pa.schema(kept))
    return {"columns": [field.name for field in kept], "features": features}


def _with_folder_names(
    rows: "datasets.Dataset", path: Path, files: list[str], format: str
) -> "datasets.Dataset":
    """The rows with a column for every ``key=value`` folder that their files lie in."""
    said = [partition_values(Path(file).relative_to(path)) for file in files]
    if format != "parquet" or not any(said):
        return rows
    return with_partition_columns(rows, said, [parquet_rows(file) for file in files])


def _files(folder: Path) -> list[Path]:
    """The tables in a folder and its ``data``, ``train``, ``test`` …, without a metadata index.

    Folders named ``key=value`` in these, at any depth, hold tables too.
    """
    tops = [folder, *(folder / name for name in ("data", *TRAIN_NAMES, *TEST_NAMES))]
    tops = [top for top in tops if top.is_dir()]
    places = [*tops, *(inner for top in tops for inner in partition_folders(top))]
    return sorted(
        file
        for place in places
        for file in place.iterdir()
        if file.suffix in _FORMATS
        and file.stem != "metadata"
        and not file.name.startswith((".", "_"))
    )


def split_of(file: Path) -> str:
    """The split that a file's folder or name tells (``test-00000-of-00001.parquet``), or ""."""
    plain = "/".join(part for part in file.parts if "=" not in part)
    words = re.split(r"[-_. /]", plain)
    return next((name for name in (*TRAIN_NAMES, *TEST_NAMES) if name in words), "")


def _by_split_column(rows: "datasets.Dataset") -> Mapping[str, "datasets.Dataset"]:
    """The rows by a text column ``split``, if it tells train from test."""
    from datasets import Value

    if rows.features.get("split") != Value("string"):
        return {"train": rows}
    if "example_id" not in rows.column_names:  # number all rows before they part
        rows = with_id_column(rows, None)
    marks = column_of(rows, "split").to_numpy()
    named = {mark for mark in marks.tolist() if mark is not None}
    if "train" not in named or not named & set(TEST_NAMES):
        return {"train": rows}
    return {name: rows.select((marks == name).nonzero()[0]) for name in named}


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns what goes wrong into one sentence, and keeps the library's bars and logs still."""
    from datasets.exceptions import DatasetGenerationError
    from datasets.utils import are_progress_bars_disabled, logging

    had_bars, verbosity = not are_progress_bars_disabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    except (DatasetGenerationError, pa.ArrowException, OSError, ValueError) as error:
        cause = error.__cause__ or error
        reason = (str(cause).splitlines() or [type(cause).__name__])[0]
        raise CurateError(
            f"path: {str(path)!r} cannot be read as a table ({reason}); write it again"
        ) from error
    finally:
        logging.set_verbosity(verbosity)
        if had_bars:
            logging.enable_progress_bar()
