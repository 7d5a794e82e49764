"""Rows for examples that nobody announced: a new id takes the next row."""

from typing import Any

import pyarrow as pa
import torch
from torch import Tensor

from curate.errors import CurateError
from curate.record.inputs.tensors import as_ids


class GrowingLookup:
    """The examples met so far, in the order in which they came, and how to find their rows.

    It stands in for :class:`curate.record.inputs.ids.RowLookup`. Integer ids are looked up on the
    host too, so ids on a GPU are waited for.
    """

    digest = "grows"
    unknown_string = None

    def __init__(self) -> None:
        self._row_of: dict[Any, int] = {}

    @staticmethod
    def of(names: Any) -> "GrowingLookup":
        """With the ids that :attr:`saved` gave.

        Raises:
            CurateError: they are no such ids.
        """
        made = GrowingLookup()
        plain = names.tolist() if isinstance(names, Tensor) else names
        if not isinstance(plain, list) or len({type(name) for name in plain} | {int, str}) > 2:
            raise CurateError("state: its 'grown' is no list of ids; load that of a Recorder()")
        made.rows_of(plain)
        if len(made) != len(plain):
            raise CurateError("state: an id in its 'grown' comes twice; load that of a Recorder()")
        return made

    @property
    def saved(self) -> Tensor | list[str]:
        """The ids by row, in the form that checkpoints hold."""
        return self.names if self.are_strings else torch.tensor(self.names, dtype=torch.int64)

    def __len__(self) -> int:
        return len(self._row_of)

    def cut(self, n: int) -> None:
        """Forget all but the first n."""
        self._row_of = {name: row for name, row in self._row_of.items() if row < n}

    @property
    def names(self) -> list[Any]:
        """The ids by row, int or str."""
        return list(self._row_of)

    @property
    def array(self) -> pa.Array:
        """(n,) int64 or string, as the table's ``example_id`` column."""
        names = self.names
        strings = bool(names) and isinstance(names[0], str)
        return pa.array(names, pa.string() if strings else pa.int64())

    @property
    def are_strings(self) -> bool:
        """Whether the ids so far are strings."""
        return isinstance(next(iter(self._row_of), 0), str)

    def taken(self, example_id: Any) -> Tensor:
        """(N,) int64 rows of int or string ids; new ids take the next rows.

        Raises:
            CurateError: ids that are none, or of another kind than those before.
        """
        ids = as_ids(example_id)
        names = ids.tolist() if isinstance(ids, Tensor) else [str(name) for name in ids]
        return self.rows_of(names)

    def rows_of(self, names: list[Any]) -> Tensor:
        """The same for a list of int or of str."""
        if names and self._row_of and isinstance(names[0], str) != self.are_strings:
            given = "strings" if isinstance(names[0], str) else "integers"
            raise CurateError(
                f"example_id: {given} after ids of the other kind; give all integers or all strings"
            )
        row_of = self._row_of
        return torch.tensor(
            [row_of.setdefault(name, len(row_of)) for name in names], dtype=torch.int64
        )

    def rows(self, ids: Tensor) -> Tensor:
        """What :meth:`taken` gave are rows already."""
        return ids
