"""The most telling and the most anonymous examples of every source, and the rows of these."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.report.cards import Card, Gallery
from curate.report.explore import (
    Column,
    Examples,
    float_column,
    ids_column,
    saved,
    text_column,
    with_links,
)
from curate.report.text import clean, clean_id, count, percent
from curate.report.thumbnail import MOST_BYTES, thumbnail

Image = Callable[[str, Any], np.ndarray | None]
Label = Callable[[str, Any], str | None]

_SHOWN, _SHOWN_OF_MANY = 12, 8  # of each kind
_MANY = 12  # sources
_ALL_BYTES = 1_900_000  # of all pictures, before base64 adds a third
_ID_LETTERS = 240


@dataclass(frozen=True)
class SourceExamples:
    """The galleries source by source, and all their examples as rows."""

    groups: list[tuple[str, list[Gallery]]]
    examples: Examples


def source_examples(
    probabilities: pa.Table, names: list[str], image: Image | None, label: Label | None
) -> SourceExamples:
    """Two galleries per source: what gives it away, and what could be from anywhere.

    Args:
        probabilities: columns source, example_id and ``p_<source>`` for every name.
        names: of the sources.
        image: source's name, example id -> uint8 picture, or None; without it there are rows only.
        label: source's name, example id -> its class, or None.
    """
    shown = _SHOWN if len(names) <= _MANY else _SHOWN_OF_MANY
    most_bytes = min(MOST_BYTES, _ALL_BYTES // (2 * shown * len(names)))
    chances = np.stack([probabilities[f"p_{each}"].to_numpy() for each in names], axis=1)
    sources = np.asarray(pc.index_in(probabilities["source"].cast(pa.string()), pa.array(names)))
    groups, rows = [], []
    for place, name in enumerate(names):
        own = np.flatnonzero(sources == place)
        # as far from any source as can be: the least certain of the classifier's answers
        entropy = -(chances[own] * np.log(np.clip(chances[own], 1e-12, 1))).sum(1)
        telling = own[np.argsort(-chances[own, place], kind="stable")[:shown]]
        anonymous = own[np.argsort(-entropy, kind="stable")[:shown]]
        rows += [telling, anonymous]
        if image is None:
            continue
        kinds = (
            ("Most telling", "Surest to be from here.", telling),
            ("Most anonymous", "Could be from anywhere.", anonymous),
        )
        galleries = []
        for title, caption, chosen in kinds:
            cards = _cards(probabilities, chosen, chances, names, name, image, label, most_bytes)
            galleries.append(Gallery(title, caption, len(own), cards))
        groups.append((clean(name), galleries))
    listed = np.unique(np.concatenate(rows)) if rows else np.empty(0, np.int64)
    examples = _rows(probabilities, listed, sources, chances, names, label)
    flat = [gallery for _, galleries in groups for gallery in galleries]
    return SourceExamples(groups, with_links(examples, flat))


def _cards(
    table: pa.Table,
    rows: np.ndarray,
    chances: np.ndarray,
    names: list[str],
    name: str,
    image: Image,
    label: Label | None,
    most_bytes: int,
) -> list[Card]:
    cards = []
    for row, example_id in zip(
        rows.tolist(), table["example_id"].take(rows).to_pylist(), strict=True
    ):
        pixels = image(name, example_id)
        picture, pixelated = None, False
        if pixels is not None:
            picture, pixelated = thumbnail(pixels, example_id, most_bytes)
        first = int(chances[row].argmax())
        guess = f"{percent(chances[row, first], digits=0)} {clean(names[first], 30)}"
        cards.append(
            Card(
                row=row,
                example_id=clean_id(example_id, _ID_LETTERS),
                label=clean((label and label(name, example_id)) or ""),
                fate=guess,
                kept=None,
                words=None,
                picture=picture,
                pixelated=pixelated,
                alt=f"Example {clean(example_id)} of {clean(name)}: taken for {guess} "
                f"among {count(len(names))} sources",
            )
        )
    return cards


def _rows(
    table: pa.Table,
    rows: np.ndarray,
    sources: np.ndarray,
    chances: np.ndarray,
    names: list[str],
    label: Label | None,
) -> Examples:
    ids = table["example_id"].take(rows).to_pylist()
    of = [names[sources[row]] for row in rows]
    own = [float(chances[row, sources[row]]) for row in rows]
    surest = chances[rows].max(1).tolist()
    columns: list[Column] = [
        ids_column(ids, _ID_LETTERS),
        text_column("source", "Source", "where it is from", [clean(one, 60) for one in of]),
    ]
    if label is not None:
        classes = [clean(label(*one) or "", 60) for one in zip(of, ids, strict=True)]
        columns.append(text_column("label", "Class", "its label", classes))
    taken = [clean(names[one], 60) for one in chances[rows].argmax(1)]
    columns += [
        text_column("taken", "Taken for", "the classifier’s answer", taken),
        _shares("own", "Of its own", "probability of the source that it is from, percent", own),
        _shares("surest", "Surest", "probability of the classifier’s answer, percent", surest),
    ]
    if "source_margin" in table.column_names:
        margins = table["source_margin"].take(rows).to_pylist()
        words = "logit of its source minus the largest other one; low could be from elsewhere"
        columns.append(float_column("margin", "Margin", words, margins, "{:.2f}"))
    return Examples(
        columns,
        len(rows),
        "those of every source that are surest and least sure to be from there",
        [saved(one, source) for one, source in zip(ids, of, strict=True)],
        ["source", "label", "taken"],
        {int(row): position for position, row in enumerate(rows)},
    )


def _shares(key: str, heading: str, explanation: str, shares: list[float]) -> Column:
    cells = [percent(share) for share in shares]
    return Column(key, heading, explanation, True, cells, [100 * share for share in shares])
