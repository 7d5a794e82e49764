"""Merging tables of several runs that do not fit in memory."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from curate.errors import CurateError
from curate.table._hash_ids import hash_ids
from curate.table._merge import common_metadata, merge_groups, merged_columns, stack
from curate.table._write import open_writer
from curate.table.jobs import run_jobs
from curate.table.remote import is_remote
from curate.table.row_groups import RowGroups, open_row_groups
from curate.table.schema import annotate, describe

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_BLOCK = 1 << 17  # rows of each table that are merged at a time
_BUCKET = 1 << 20  # rows of all tables that are merged at a time where their orders differ
_PLACE = "place"  # a column: where a row stands in all tables, one after the other


def merge_files(
    paths: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    executor: Any = None,
) -> int:
    """Merge tables larger than memory; what is written is what :func:`curate.merge` returns.

    Tables of one recorder list the examples in one order: they are read side by side, in memory
    that does not grow with them. Others are dealt to files by a hash of the ids, beside ``out``
    and together about as large as the tables are unpacked, and these are merged one by one.

    Args:
        paths: one example table per run: Parquet files, or folders of them. It is not checked
            that a table has each id once.
        out: the Parquet file to write.
        executor: what merges such files, several at a time: anything with ``submit`` or ``map``,
            as for :func:`curate.pruning.prune_file`; None: one at a time, in the least memory.

    Returns:
        The number of examples.

    Raises:
        CurateError: as :func:`curate.merge` and :func:`curate.read`; the message names the file.
        OSError: the disk is full or not writable; an older file at ``out`` is untouched.
    """
    if isinstance(paths, str | os.PathLike) or not len(paths):
        raise CurateError(f"paths: {paths!r}; give a list of the tables to merge")
    names = [repr(os.fspath(path)) for path in paths]
    tables = [open_row_groups(path) for path in paths]
    columns = [
        merged_columns(table.schema.names, name) for table, name in zip(tables, names, strict=True)
    ]
    entries = common_metadata([table.schema for table in tables])
    nothing = stack([table.schema.empty_table() for table in tables], names)
    merged = merge_groups(nothing, np.empty(0, np.int64), nothing["example_id"].combine_chunks())
    schema = annotate(describe(merged), **entries).schema
    sources = list(zip(tables, columns, strict=True))
    try:
        with open_writer(out, schema) as writer:
            return _write_all(writer, _side_by_side(sources, names))
    except _OrderError:
        pass
    place = None if is_remote(out) else Path(out).absolute().parent
    rows = sum(sum(table.rows) for table in tables)
    with (
        TemporaryDirectory(prefix=".merging-", dir=place) as folder,
        open_writer(out, schema) as writer,
    ):
        buckets = [Path(folder) / f"{number}.arrow" for number in range(1 + rows // _BUCKET)]
        _deal(sources, names, nothing.schema, buckets)
        merge = partial(_merge_bucket, rows=max(1024, _BUCKET // len(buckets)))
        if executor is None:
            for bucket in buckets:
                merge(bucket)
        else:
            run_jobs(merge, buckets, executor)
        return _write_all(writer, _by_place(buckets))


class _OrderError(Exception):
    """The tables do not list the same examples in the same order."""


def _write_all(writer: "pq.ParquetWriter", tables: Iterator[pa.Table]) -> int:
    rows = 0
    for table in tables:
        writer.write_table(table.cast(writer.schema))
        rows += len(table)
    return rows


def _blocks(table: RowGroups, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The rows of a table, so many at a time."""
    held: list[pa.RecordBatch] = []
    groups = range(len(table.rows))
    for batch in chain.from_iterable(table.read(group, columns) for group in groups):
        held.append(batch)
        while sum(map(len, held)) >= _BLOCK:
            rows = pa.Table.from_batches(held)
            yield rows.slice(0, _BLOCK)
            held = rows.slice(_BLOCK).to_batches()
    if held:
        yield pa.Table.from_batches(held)


def _side_by_side(
    sources: Sequence[tuple[RowGroups, list[str]]], names: Sequence[str]
) -> Iterator[pa.Table]:
    """Merged rows of tables that list the same examples in the same order."""
    for blocks in zip_longest(*(_blocks(*source) for source in sources)):
        if any(block is None for block in blocks):
            raise _OrderError
        first, *others = (block["example_id"].combine_chunks() for block in blocks)
        if not all(ids.equals(first) for ids in others):
            raise _OrderError
        groups = np.tile(np.arange(len(first)), len(blocks))
        yield merge_groups(stack(blocks, names), groups, first)


def _deal(
    sources: Sequence[tuple[RowGroups, list[str]]],
    names: Sequence[str],
    schema: pa.Schema,
    buckets: Sequence[Path],
) -> None:
    """Write the rows of all tables, and their places, to the bucket of their ids."""
    schema = schema.append(pa.field(_PLACE, pa.int64()))
    start = 0
    with ExitStack() as opened:
        files = [opened.enter_context(pa.ipc.new_stream(bucket, schema)) for bucket in buckets]
        for source, name in zip(sources, names, strict=True):
            for block in _blocks(*source):
                table = stack([block], [name])
                places = pa.array(np.arange(start, start + len(table)))
                table = table.append_column(_PLACE, places).cast(schema)
                bucket_of = hash_ids(table["example_id"]) % np.uint64(len(buckets))
                order = np.argsort(bucket_of, kind="stable")
                ends = np.searchsorted(bucket_of[order], np.arange(len(buckets)), side="right")
                table = table.take(pa.array(order))
                for file, first, end in zip(files, [0, *ends[:-1]], ends, strict=True):
                    file.write_table(table.slice(first, end - first))
                start += len(order)


def _merge_bucket(bucket: Path, rows: int) -> None:
    """Replace the rows of a bucket by the merged ones, so many to a batch.

    They keep the place at which an example first appears.
    """
    with _opened(bucket) as file:
        stacked = file.read_all()
    encoded = stacked["example_id"].combine_chunks().dictionary_encode()
    groups = encoded.indices.to_numpy()
    _, first = np.unique(groups, return_index=True)
    merged = merge_groups(stacked.drop_columns([_PLACE]), groups, encoded.dictionary)
    merged = merged.append_column(_PLACE, stacked[_PLACE].take(pa.array(first)).combine_chunks())
    with pa.ipc.new_stream(bucket, merged.schema) as file:
        file.write_table(merged, max_chunksize=rows)


@contextmanager
def _opened(bucket: Path) -> Iterator[pa.RecordBatchReader]:
    """By its path alone pyarrow would map the file, and hold all that was read of it."""
    with pa.OSFile(str(bucket)) as file, pa.ipc.open_stream(file) as stream:
        yield stream


def _by_place(buckets: Sequence[Path]) -> Iterator[pa.Table]:
    """The rows of all buckets in the order of their places, of which each bucket's rise."""
    with ExitStack() as opened:
        files = [opened.enter_context(_opened(bucket)) for bucket in buckets]
        held = [next(file, None) for file in files]
        while any(batch is not None for batch in held):
            batches = [batch for batch in held if batch is not None]
            last = min(batch[_PLACE][-1].as_py() for batch in batches)
            ready = []
            for number, batch in enumerate(held):
                if batch is None:
                    continue
                end = int(np.searchsorted(batch[_PLACE].to_numpy(), last, side="right"))
                ready.append(batch.slice(0, end))
                rest = batch.slice(end)
                held[number] = rest if len(rest) else next(files[number], None)
            table = pa.Table.from_batches(ready)
            yield table.sort_by(_PLACE).drop_columns([_PLACE])
