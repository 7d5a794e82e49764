"""What a reader sorts, filters and selects: rows of examples, the same ones as the cards show."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from curate.report.cards import Gallery
from curate.report.text import clean_id

LAST = 1e300
"""Sorts infinite values (never learned) after every number; JSON has no infinity."""

_CHOICES = 300  # values of a facet, the most frequent ones
_LONGEST_ID = 512  # letters of an id that can be saved; a report of longer ones would not be small


@dataclass(frozen=True)
class Column:
    """A column of the table: one text to show and one number to sort by for each row."""

    key: str
    heading: str
    explanation: str
    numeric: bool
    cells: list[str]
    sort_keys: list[float | None]


@dataclass(frozen=True)
class Examples:
    """Rows to show, column by column, and how they were drawn.

    Attributes:
        columns: the first one holds the ids as text.
        rows: their number.
        drawn: which examples these are.
        ids: what is saved of each row, as JSON; None of ids that are too long to keep.
        facets: names of the columns whose values a reader chooses from.
        place: the position of a row of the table that it was drawn from.
        links: for each row the anchors and the titles of its cards.
    """

    columns: list[Column]
    rows: int
    drawn: str
    ids: list[str | None]
    facets: list[str]
    place: dict[int, int]
    links: list[list[tuple[str, str]]] = field(default_factory=list)

    @property
    def keys(self) -> list[list[float | None]]:
        """What the page's script sorts and filters by: for each row a number of each column."""
        return [list(row) for row in zip(*(c.sort_keys for c in self.columns), strict=True)]

    @property
    def choices(self) -> list[tuple[int, str, list[str]]]:
        """Of every facet its column, its heading and its values, in order."""
        found = []
        for position, column in enumerate(self.columns):
            if column.key not in self.facets:
                continue
            counts: dict[str, int] = {}
            for cell in column.cells:
                counts[cell] = counts.get(cell, 0) + 1
            values = sorted(counts, key=lambda value: -counts[value])[:_CHOICES]
            if len(values) > 1:
                found.append((position, column.heading, sorted(values)))
        return found


def ids_column(ids: Sequence[Any], letters: int = _LONGEST_ID) -> Column:
    """The column of the examples' names, which sort as what they are."""
    ranks = {value: float(rank) for rank, value in enumerate(sorted(set(ids)))}
    cells = [clean_id(value, letters) for value in ids]
    return Column("example_id", "Example", "its stable id", False, cells, [*map(ranks.get, ids)])


def saved(example_id: Any, source: str | None = None) -> str | None:
    """An id as JSON, with its source where there are several; None if it is too long to keep."""
    if len(str(example_id)) > _LONGEST_ID:
        return None
    if source is None:
        return json.dumps(example_id)
    return json.dumps({"source": source, "example_id": example_id})


def text_column(key: str, heading: str, explanation: str, cells: list[str]) -> Column:
    """A column of words, sorted by the alphabet."""
    ranks = {value: float(rank) for rank, value in enumerate(sorted(set(cells)))}
    return Column(key, heading, explanation, False, cells, [*map(ranks.get, cells)])


def float_column(
    key: str, heading: str, explanation: str, values: Sequence[float | None], form: str
) -> Column:
    """A column of numbers; null and NaN are shown as a dash and come last."""
    cells: list[str] = []
    keys: list[float | None] = []
    for value in values:
        if value is None or value != value:
            cells.append("–")
            keys.append(None)
            continue
        infinite = abs(value) == float("inf")
        words = ("∞" if value > 0 else "-∞") if infinite else form.format(value)
        cells.append(words.replace("-", "−"))
        keys.append(max(-LAST, min(LAST, float(value))))
    return Column(key, heading, explanation, True, cells, keys)


def with_links(examples: Examples, galleries: Sequence[Gallery]) -> Examples:
    """The examples with the anchors of their cards: ``card-GALLERY-ROW``, both from 0."""
    links: list[list[tuple[str, str]]] = [[] for _ in range(examples.rows)]
    for number, gallery in enumerate(galleries):
        for card in gallery.cards:
            at = examples.place[card.row]
            links[at].append((f"card-{number}-{at}", gallery.title))
    return Examples(
        examples.columns,
        examples.rows,
        examples.drawn,
        examples.ids,
        examples.facets,
        examples.place,
        links,
    )
