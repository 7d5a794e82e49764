"""Rows put aside on disk for as long as a computation lasts."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa


class Spill:
    """Batches of rows, kept by part as Arrow files without compression; see :func:`open_spill`.

    Each part may be written, and later read, by a thread of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def write(self, part: int, schema: pa.Schema) -> Iterator["pa.ipc.RecordBatchFileWriter"]:
        """A writer (``write_batch``) for the rows of a part."""
        with (
            pa.OSFile(str(self._file(part)), "wb") as file,
            pa.ipc.new_file(file, schema) as writer,
        ):
            yield writer

    def read(self, part: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The batches of a part as they were written, with some of their columns.

        They are views of the file, mapped into memory while the part is gone through.
        """
        with pa.memory_map(str(self._file(part))) as file:
            names = pa.ipc.open_file(file).schema.names
            fields = [names.index(name) for name in columns]
            options = pa.ipc.IpcReadOptions(included_fields=fields, use_threads=False)
            reader = pa.ipc.open_file(file, options=options)
            for i in range(reader.num_record_batches):
                yield reader.get_batch(i)

    def _file(self, part: int) -> Path:
        return self._folder / f"part-{part:03d}.arrow"


@contextmanager
def open_spill(beside: str | os.PathLike[str]) -> Iterator[Spill]:
    """A spill in a temporary folder on the disk of ``beside``, removed when the block ends."""
    parent = Path(beside).absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        dir=parent, prefix=f".{Path(beside).name[:100]}.", suffix=".tmp", ignore_cleanup_errors=True
    ) as folder:
        yield Spill(Path(folder))
