"""The most telling and the most anonymous examples of every source."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.report.galleries import Card, Gallery
from curate.report.text import clean, clean_id, count, percent
from curate.report.thumbnail import thumbnail

_SHOWN = 12


def source_galleries(
    probabilities: pa.Table,
    names: list[str],
    image: Callable[[str, object], np.ndarray | None],
) -> list[tuple[str, list[Gallery]]]:
    """Two galleries per source: what gives it away, and what could be from anywhere.

    Args:
        probabilities: columns source, example_id and ``p_<source>`` for every name.
        names: of the sources.
        image: source's name, example id -> uint8 picture, or None.
    """
    found = []
    for name in names:
        own = probabilities.filter(pc.equal(probabilities["source"], name))
        columns = np.stack([own[f"p_{each}"].to_numpy() for each in names], axis=1)
        true = columns[:, names.index(name)]
        # as far from any source as can be: the least certain of the classifier's answers
        entropy = -(columns * np.log(np.clip(columns, 1e-12, 1))).sum(1)
        telling = np.argsort(-true, kind="stable")[:_SHOWN]
        anonymous = np.argsort(-entropy, kind="stable")[:_SHOWN]
        groups = (
            ("Most telling", "Surest to be from here.", telling),
            ("Most anonymous", "Could be from anywhere.", anonymous),
        )
        galleries = [
            Gallery(title, caption, len(own), _cards(own, rows, columns, names, name, image))
            for title, caption, rows in groups
        ]
        found.append((clean(name), galleries))
    return found


def _cards(
    own: pa.Table,
    rows: np.ndarray,
    columns: np.ndarray,
    names: list[str],
    name: str,
    image: Callable[[str, object], np.ndarray | None],
) -> list[Card]:
    cards = []
    for row, example_id in zip(
        rows.tolist(), own["example_id"].take(rows).to_pylist(), strict=True
    ):
        pixels = image(name, example_id)
        picture, pixelated = (None, False) if pixels is None else thumbnail(pixels, example_id)
        first = int(columns[row].argmax())
        guess = f"{percent(columns[row, first], digits=0)} {clean(names[first], 30)}"
        cards.append(
            Card(
                example_id=clean_id(example_id),
                label="",
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
