"""What an export looks like from outside, for its card."""

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
