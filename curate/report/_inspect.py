"""A summary of an example table for the terminal."""

import io
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from curate.notebook import Shown
from curate.report.outcomes import Bar, bars, most_forgotten, outcomes_of
from curate.report.text import clean, count, percent
from curate.table import as_table, metadata, open_stream, read

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_MOST_FORGOTTEN = 10


@dataclass(frozen=True)
class ColumnFact:
    """One column of the table; unit and description are empty where the file has none."""

    name: str
    type: str
    unit: str
    description: str


@dataclass(frozen=True)
class Forgotten:
    """One of the most forgotten examples."""

    example_id: int | str
    label: int | None
    class_name: str | None
    forgetting_events: int
    presentations: int


@dataclass(frozen=True, eq=False, repr=False)
class Inspection(Shown):
    """What a table holds, in numbers; printed, it reads as a page.

    Attributes:
        source: where it was read from; None for a table in memory.
        columns: the schema.
        counts: examples, never_presented, never_learned (in no run), unlearned_in_some_run,
            unforgettable, forgotten (at least once).
        histogram: examples by number of forgetting events, those never learned (in some run) left
            out.
        most_forgotten: at most ten, most events first, ties in row order.
        metadata: library version, fingerprint, class names, recording options, as stored.
    """

    source: str | None
    columns: list[ColumnFact]
    counts: dict[str, int]
    histogram: dict[int, int]
    most_forgotten: list[Forgotten]
    metadata: dict[str, Any]

    @property
    def table(self) -> pa.Table:
        """One row per entry of ``counts``: count (its name), examples, share (of all, 0..1)."""
        total = self.counts["examples"]
        numbers = list(self.counts.values())
        shares = [number / total if total else None for number in numbers]
        return pa.table(
            {
                "count": list(self.counts),
                "examples": pa.array(numbers, pa.int64()),
                "share": pa.array(shares, pa.float64()),
            }
        )

    def __repr__(self) -> str:
        return (
            f"Inspection({self.counts['examples']:,} examples, {len(self.columns)} columns, "
            f"{self.counts['never_learned']:,} never learned)"
        )

    def __str__(self) -> str:
        """The page as plain text of 100 columns."""
        from rich.console import Console

        text = io.StringIO()
        Console(file=text, width=100).print(self)
        return text.getvalue().rstrip()

    def to_dict(self) -> dict[str, Any]:
        """The same as plain dicts, lists, strings and numbers, ready for JSON."""
        histogram = [
            {"forgetting_events": events, "examples": examples}
            for events, examples in self.histogram.items()
        ]
        return {**asdict(self), "histogram": histogram}

    def __rich__(self) -> "RenderableType":
        from rich.console import Group
        from rich.text import Text

        origin = [
            f"{clean(key).replace('_', ' ')}: {clean(value, 100)}"
            for key, value in self.metadata.items()
            if key in ("library_version", "fingerprint", "recording")
        ]
        head = Text(clean(self.source or "table in memory", 200), style="bold", overflow="fold")
        return Group(
            head,
            *(Text(line, style="dim") for line in origin),
            Text(),
            self._schema(),
            Text(),
            self._counts(),
            Text(),
            self._histogram(),
            *((Text(), self._most_forgotten()) if self.most_forgotten else ()),
        )

    def _schema(self) -> "Table":
        grid = _grid("Columns", ("column", "left"), ("type", "left"), ("unit", "left"))
        grid.add_column("meaning", overflow="fold", ratio=1)
        for column in self.columns:
            _row(grid, column.name, column.type, column.unit, clean(column.description, 160))
        return grid

    def _counts(self) -> "Table":
        grid = _grid("Examples", ("", "left"), ("count", "right"), ("share", "right"))
        total = self.counts["examples"]
        for name, number in self.counts.items():
            _row(grid, name.replace("_", " "), count(number), percent(number, total))
        return grid

    def _histogram(self) -> "Table":
        grid = _grid("Forgetting events", ("events", "right"), ("examples", "right"), ("", "left"))
        values = np.array(list(self.histogram), np.int64)
        totals = np.array(list(self.histogram.values()), np.int64)
        shown = bars(values, totals, np.zeros_like(totals), limit=16)
        never = self.counts["unlearned_in_some_run"]
        if never:
            shown = [*shown, Bar("never learned", never, 0)]
        longest = max((bar.total for bar in shown), default=1)
        for bar in shown:
            _row(grid, bar.label, count(bar.total), _blocks(bar.total / longest))
        return grid

    def _most_forgotten(self) -> "Table":
        grid = _grid(
            "Most forgotten",
            ("example", "left"),
            ("class", "left"),
            ("events", "right"),
            ("presentations", "right"),
        )
        for row in self.most_forgotten:
            name = row.class_name if row.class_name is not None else row.label
            shown = "" if name is None else clean(name, 32)
            events, seen = count(row.forgetting_events), count(row.presentations)
            _row(grid, clean(row.example_id, 60), shown, events, seen)
        return grid


def inspect(table: Any) -> Inspection:
    """Summarise an example table.

    A path is read batch by batch, so memory does not grow with the file.

    Args:
        table: the table, of ``pyarrow`` or anything with ``__arrow_c_stream__`` (pandas, Polars
            …), or the path of a Parquet file or a partitioned folder.

    Raises:
        CurateError: the file is not an example table, or it lacks a needed column.
    """
    if not isinstance(table, str | os.PathLike):
        table = as_table(table, paths=True)
        return _inspect(table.schema, table.to_batches(), None)
    schema = next((batch.schema for batch in open_stream(table)), None) or read(table).schema
    wanted = ["example_id", "label", "presentations", "forgetting_events", "first_learned"]
    wanted += ["runs", "runs_learned"]
    columns = [name for name in wanted if name in schema.names]
    return _inspect(schema, open_stream(table, columns), os.fspath(table))


def _inspect(
    schema: pa.Schema, batches: Iterable[pa.RecordBatch], source: str | None
) -> Inspection:
    origin = metadata(schema)
    names = origin.get("class_names") or []
    outcomes_of(schema.empty_table())  # an empty table must not hide a missing column
    counts: Counter[str] = Counter()
    histogram: Counter[int] = Counter()
    top: list[Forgotten] = []
    for batch in batches:
        outcomes = outcomes_of(batch)
        counts["examples"] += len(batch)
        counts["never_presented"] += int((~outcomes.presented).sum())
        counts["never_learned"] += int(outcomes.never_learned.sum())
        counts["unlearned_in_some_run"] += int(outcomes.unlearned.sum())
        counts["unforgettable"] += int(outcomes.unforgettable.sum())
        counts["forgotten"] += int((outcomes.events > 0).sum())
        learned = outcomes.events[outcomes.presented & ~outcomes.unlearned]
        values, totals = np.unique(learned, return_counts=True)
        histogram.update(dict(zip(values.tolist(), totals.tolist(), strict=True)))
        rows = most_forgotten(outcomes, _MOST_FORGOTTEN)
        top += _forgotten(batch.take(pa.array(rows)), names)
        top.sort(key=lambda row: -row.forgetting_events)  # stable: ties stay in row order
        del top[_MOST_FORGOTTEN:]
    order = ("examples", "never_presented", "never_learned", "unlearned_in_some_run")
    return Inspection(
        source=source,
        columns=[_fact(field) for field in schema],
        counts={name: counts[name] for name in (*order, "unforgettable", "forgotten")},
        histogram=dict(sorted(histogram.items())),
        most_forgotten=top,
        metadata=origin,
    )


def _forgotten(batch: pa.RecordBatch, names: list[str]) -> list[Forgotten]:
    rows = []
    for row in batch.to_pylist():
        label = row.get("label")
        named = label is not None and 0 <= label < len(names)
        rows.append(
            Forgotten(
                example_id=row["example_id"],
                label=label,
                class_name=str(names[label]) if named else None,
                forgetting_events=row["forgetting_events"],
                presentations=row["presentations"],
            )
        )
    return rows


def _fact(field: pa.Field) -> ColumnFact:
    known = {
        key.decode("utf-8", "replace"): value.decode("utf-8", "replace")
        for key, value in (field.metadata or {}).items()
    }
    unit, description = known.get("unit", ""), known.get("description", "")
    return ColumnFact(field.name, str(field.type), unit, description)


def _grid(title: str, *columns: tuple[str, Any]) -> "Table":
    from rich import box
    from rich.table import Table

    grid = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for heading, justify in columns:
        grid.add_column(heading, justify=justify, overflow="fold")
    return grid


def _row(grid: "Table", *cells: str) -> None:
    """Cells as plain text: brackets in an id are not markup, and escapes are gone."""
    from rich.text import Text

    grid.add_row(*(Text(clean(cell, 200)) for cell in cells))


def _blocks(share: float, width: int = 40) -> str:
    """A bar of eighths of a character; never empty for a share above zero."""
    eighths = max(1, round(share * width * 8)) if share > 0 else 0
    whole, rest = divmod(eighths, 8)
    return "█" * whole + ("▏▎▍▌▋▊▉"[rest - 1] if rest else "")
