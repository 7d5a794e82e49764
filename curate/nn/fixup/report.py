"""What :func:`fixup_` did, or would do."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curate.nn.fixup.branches.branch import Branch

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One module: its role, what it was set to, the m of its branch, its standard deviation.

    ``zeros`` are the first output that is 0 and the one behind the last, where the others are not.
    """

    module: str
    role: str
    init: str
    m: int | None = None
    std: float | None = None
    zeros: tuple[int, int] | None = None


@dataclass(frozen=True, repr=False)
class FixupReport:
    """The branches that were found, and what every module was set to.

    Attributes:
        branches: the L residual branches.
        rows: one row per layer, per normalisation and per module that was left alone.
        classifiers: names of the layers that became the zero classifier.
        scalars: how many scalars the model has now.
        rule: 'fixup' or the relative that was applied.
        applied: False for a dry run.
    """

    branches: Sequence[Branch]
    rows: Sequence[Row]
    classifiers: Sequence[str]
    scalars: int
    rule: str
    applied: bool

    @property
    def num_branches(self) -> int:
        """L."""
        return len(self.branches)

    def stds(self) -> dict[str, float]:
        """The standard deviation that each layer's weight was drawn with, by name."""
        return {row.module: row.std for row in self.rows if row.std is not None}

    def grouped(self) -> list[tuple[str, int, Row]]:
        """Rows that differ only by the numbers in their names, together: (name, how many, row)."""
        groups: dict[tuple[object, ...], list[Row]] = {}
        for row in self.rows:
            pattern = re.sub(r"(^|(?<=\.))\d+(?=\.|$)", "*", row.module)
            std = None if row.std is None else f"{row.std:.3g}"
            groups.setdefault((pattern, row.role, row.init, row.m, std), []).append(row)
        return [
            (rows[0].module if len(rows) == 1 else str(key[0]), len(rows), rows[0])
            for key, rows in groups.items()
        ]

    def table(self) -> "Table":
        """A rich table, similar modules in one row."""
        from rich.table import Table

        table = Table(title=str(self), title_justify="left")
        for column in ("module", "role", "init"):
            table.add_column(column, overflow="fold")
        for column in ("modules", "m", "std"):
            table.add_column(column, justify="right")
        for name, count, row in self.grouped():
            std = "" if row.std is None else f"{row.std:.4g}"
            m = "" if row.m is None else str(row.m)
            table.add_row(name, row.role, row.init, f"{count:,}", m, std)
        return table

    def __repr__(self) -> str:
        return (
            f"FixupReport({self.rule}, {self.num_branches:,} branches, {len(self.rows):,} modules, "
            f"{self.scalars:,} scalars, applied={self.applied})"
        )

    def __str__(self) -> str:
        """One line that sums up."""
        verb = "applied" if self.applied else "would apply"
        return (
            f"{self.rule} {verb}: {self.num_branches:,} residual branches, {self.scalars:,} "
            f"scalars, classifier: {', '.join(self.classifiers) or 'none'}"
        )

    def print(self) -> None:
        """Print the table."""
        from rich.console import Console

        Console().print(self.table())
