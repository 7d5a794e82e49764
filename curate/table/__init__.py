"""The example table: one Arrow row per example, read, written, joined and merged here only."""

from curate.table.atomic import atomic_path as atomic_path
from curate.table.join import join as join
from curate.table.merge import merge as merge
from curate.table.read import open_stream as open_stream
from curate.table.read import read as read
from curate.table.schema import COLUMNS as COLUMNS
from curate.table.schema import SCHEMA_VERSION as SCHEMA_VERSION
from curate.table.schema import annotate as annotate
from curate.table.schema import describe as describe
from curate.table.schema import library_version as library_version
from curate.table.schema import metadata as metadata
from curate.table.write import open_writer as open_writer
from curate.table.write import write as write
