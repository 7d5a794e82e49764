"""Which examples to look at: the never learned, the most forgotten, the unforgettable."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.report.cards import Card, Gallery
from curate.report.outcomes import Outcomes, most_forgotten, numbers
from curate.report.text import clean, clean_id, count, percent, plural
from curate.report.thumbnail import MOST_BYTES, thumbnail
from curate.scores import suspects

DOUBTFUL = "Doubtful labels"

_SHOWN = 24
_LETTERS = 240
_FEW_BYTES = 2500  # of a picture of which there may be hundreds


def galleries(
    table: pa.Table,
    found: Outcomes,
    kept: np.ndarray | None,
    name_of: Callable[[object], str],
    image: Callable[[object], np.ndarray | None] | None,
    words: Callable[[object], str] | None,
) -> list[Gallery]:
    """The galleries that are not empty, at most 24 examples in each.

    Args:
        table: the example table.
        found: the fates of its rows.
        kept: bool (rows,) or None.
        name_of: a label or None -> its class name.
        image: example id -> uint8 picture or None.
        words: example id -> its text.
    """
    forgotten = most_forgotten(found, _SHOWN)
    groups = [
        (
            "Never learned",
            "Wrong at every presentation: mislabelled, ambiguous, or beyond this model"
            + ("; the lowest margin first." if "margin_mean" in table.column_names else "."),
            int(found.never_learned.sum()),
            _never_learned(table, found),
        ),
        (
            "Most forgotten",
            "Learned and lost again, over and over; the most forgetting events first.",
            int((found.events > 0).sum()),
            forgotten,
        ),
        (
            "Unforgettable",
            "Once learned, never forgotten: what a pruned set can spare. Drawn at random.",
            int(found.unforgettable.sum()),
            _some(found.unforgettable),
        ),
    ]
    groups += _suspected(table)
    if "fragility_topk" in table.column_names:
        groups.append(_fragile(table, found))
    return [
        Gallery(title, caption, total, _cards(table, found, kept, rows, name_of, image, words))
        for title, caption, total, rows in groups
        if total
    ]


def rest(
    table: pa.Table,
    found: Outcomes,
    kept: np.ndarray | None,
    rows: np.ndarray,
    name_of: Callable[[object], str],
    image: Callable[[object], np.ndarray | None] | None,
    words: Callable[[object], str] | None,
) -> Gallery:
    """The gallery of the rows of the table of examples that no other gallery has, folded."""
    cards = _cards(table, found, kept, rows, name_of, image, words, small=True)
    caption = "What else is in the table below."
    return Gallery("Others", caption, len(cards), cards, folded=True)


def _suspected(table: pa.Table) -> list[tuple[str, str, int, np.ndarray]]:
    """The gallery of likely wrong labels, by :func:`curate.suspects`; none without margins."""
    names = set(table.column_names)
    if "margin_mean" not in names and not {"label_margin", "injected_margin"} <= names:
        return []
    doubted = suspects(table)
    if doubted.precision is None:
        caption = (
            "Another class had the higher logit, in the mean over training (area under the margin "
            "below 0): mislabelled, or only hard. curate suspects estimates how many are wrong."
        )
    else:
        caption = f"About {percent(doubted.precision)} of these are estimated to be wrong."
    rows = pc.index_in(doubted.table["example_id"][:_SHOWN], table["example_id"])
    caption += " The most doubtful first."
    return [(DOUBTFUL, caption, len(doubted), rows.to_numpy())]


def _fragile(table: pa.Table, found: Outcomes) -> tuple[str, str, int, np.ndarray]:
    """The gallery of explanations that an attack changed most."""
    lost = np.asarray(pc.fill_null(table["fragility_topk"], float("nan")), float)
    known = np.flatnonzero(np.isfinite(lost))
    caption = "An attack on the explanation took most of its top pixels; the most first."
    if len(known):
        caption += f" On average it took {percent(lost[known].mean())}"
        seen = known[found.presented[known]]
        events = found.events[seen]
        if len(seen) > 2 and np.ptp(events) and np.ptp(lost[seen]):
            from scipy.stats import rankdata

            ranks = rankdata(events), rankdata(lost[seen])
            rho = np.corrcoef(ranks)[0, 1]
            caption += (
                f"; rank correlation with forgetting events {rho:+.2f} over {count(len(seen))} "
                "examples"
            )
        caption += "."
    order = known[np.argsort(-lost[known], kind="stable")]
    return "Most fragile explanations", caption, len(known), order[:_SHOWN]


def _never_learned(table: pa.Table, found: Outcomes) -> np.ndarray:
    rows = np.flatnonzero(found.never_learned)
    if "margin_mean" in table.column_names:
        margins = np.asarray(pc.fill_null(table["margin_mean"], float("nan")))[rows]
        rows = rows[np.argsort(margins, kind="stable")]
    return rows[:_SHOWN]


def _some(mask: np.ndarray) -> np.ndarray:
    """A random choice of the rows in ``mask``, the same at every call, in row order."""
    rows = np.flatnonzero(mask)
    if len(rows) <= _SHOWN:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, _SHOWN, replace=False))


def _cards(
    table: pa.Table,
    found: Outcomes,
    kept: np.ndarray | None,
    rows: np.ndarray,
    name_of: Callable[[object], str],
    image: Callable[[object], np.ndarray | None] | None,
    words: Callable[[object], str] | None,
    small: bool = False,
) -> list[Card]:
    shown = table.take(rows)
    ids = shown["example_id"].to_pylist()
    labels = shown["label"].to_pylist() if "label" in table.column_names else [None] * len(ids)
    correct = numbers(shown, "correct") if "correct" in table.column_names else None
    fragility = None
    if "fragility_topk" in table.column_names:
        fragility = shown["fragility_topk"].to_pylist()
    cards = []
    for position, (row, example_id, label) in enumerate(zip(rows, ids, labels, strict=True)):
        seen, events = int(found.presentations[row]), int(found.events[row])
        fate = "never correct" if found.never_learned[row] else f"forgotten {count(events)}×"
        if found.unforgettable[row]:
            fate = "never forgotten"
        right = "" if correct is None else f"{count(int(correct[position]))} of "
        fate += f", right {right}{count(seen)}" if right else f", seen {count(seen)}×"
        if fragility is not None and fragility[position] is not None:
            fate += f", {percent(fragility[position])} of its top pixels lost"
        pixels = None if image is None else image(example_id)
        picture, pixelated = None, False
        if pixels is not None:
            picture, pixelated = thumbnail(pixels, example_id, _FEW_BYTES if small else MOST_BYTES)
        name = name_of(label)
        cards.append(
            Card(
                row=int(row),
                example_id=clean_id(example_id),
                label=name,
                fate=fate,
                kept=None if kept is None else bool(kept[row]),
                words=None if words is None else clean(words(example_id), _LETTERS),
                picture=picture,
                pixelated=pixelated,
                alt=f"Example {clean(example_id)}{f', {name}' if name else ''}: "
                f"{plural(events, 'forgetting event')} in {plural(seen, 'presentation')}",
            )
        )
    return cards
