"""What a format of exports is, and what an export looks like from outside, for its card."""

from collections.abc import Callable
from typing import NamedTuple


class Layout(NamedTuple):
    """How to read an export.

    Attributes:
        reading: Python that reads it, with PATH for the folder.
        data_files: the pattern of the files that Hugging Face's ``datasets`` opens.
        note: a sentence on what the folder holds.
    """

    reading: str
    data_files: str
    note: str


class Format(NamedTuple):
    """An entry of :data:`curate.exporting.FORMATS`.

    Attributes:
        write: from the view of a data set, int64 positions of the kept examples, and an empty
            folder to write into, to the :class:`Layout` of what it wrote.
        help: one line for the command line and the documentation.
    """

    write: Callable[..., Layout]
    help: str
