"""The example table: one Arrow row per example, read, written, joined and merged here only."""

from curate.moved import moved
from curate.table._as_table import as_table as as_table
from curate.table._hash_ids import hash_ids as hash_ids
from curate.table._join import join as join
from curate.table._merge import merge as merge
from curate.table._merge_files import merge_files as merge_files
from curate.table._read import open_stream as open_stream
from curate.table._read import read as read
from curate.table._read import read_foreign as read_foreign
from curate.table._write import open_writer as open_writer
from curate.table._write import write as write
from curate.table.schema import COLUMNS as COLUMNS
from curate.table.schema import SCHEMA_VERSION as SCHEMA_VERSION
from curate.table.schema import annotate as annotate
from curate.table.schema import describe as describe
from curate.table.schema import library_version as library_version
from curate.table.schema import metadata as metadata

__getattr__ = moved(
    __name__,
    {
        "atomic_path": "curate.files.atomic_path",
    },
)
