"""The report on a training set: one HTML file that needs no other file."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curate.errors import CurateError
from curate.pruning.selection import words_on_empty_classes
from curate.report.charts.accuracy import Arm, draw_accuracy, group_by_arm
from curate.report.charts.datamap import draw_data_map, has_data_map
from curate.report.charts.histogram import draw_histogram
from curate.report.charts.removal import draw_curve, points_by_arm
from curate.report.classes import class_rows
from curate.report.conclusion import conclusion
from curate.report.examples import sample
from curate.report.explore import with_links
from curate.report.galleries import DOUBTFUL, galleries, rest
from curate.report.outcomes import Outcomes, outcomes_of
from curate.report.page import wide_and_narrow, write_page
from curate.report.search import claims_table, losses_table
from curate.report.selection_rows import align_selection
from curate.report.text import clean, count, percent
from curate.table import metadata


def write_report(
    path: str | os.PathLike[str],
    *,
    table: pa.Table,
    title: str,
    selection: Any | None = None,
    accuracies: pa.Table | None = None,
    intervals: pa.Table | None = None,
    curve: pa.Table | None = None,
    claims: pa.Table | None = None,
    losses: pa.Table | None = None,
    verdicts: Sequence[str] = (),
    image: Callable[[Any], np.ndarray | None] | None = None,
    words: Callable[[Any], str] | None = None,
    class_names: Sequence[str] | None = None,
    facts: Mapping[str, object] | None = None,
) -> Path:
    """Write the report on a training set as one HTML file.

    The file works offline: it holds its pictures, style and script, and a content security policy
    forbids anything else. It stays under 5 MB whatever the data set, because every part is
    bounded: charts are binned or sampled, galleries and tables show samples, pictures are
    thumbnails, texts are shortened. The same input gives the same bytes.

    Args:
        path: the file to write, whole or not at all; parent folders are made.
        table: the example table, of one run or merged over seeds.
        title: the heading.
        selection: a :class:`curate.Selection` made from the same table.
        accuracies: columns arm ('full', 'pruned', 'random', …), seed, accuracy (0..1) and, if
            known, train_size (examples).
        intervals: columns arm, mean, low, high (0..1).
        curve, claims, losses: what a search found: ``curve``, ``claims`` and ``classes`` of a
            :class:`curate.experiment.SmallestSet`.
        verdicts: sentences; the first becomes the headline.
        image: example id -> uint8 picture (height, width) or (height, width, 3), or None.
        words: example id -> its text, of which the beginning is shown.
        class_names: names of the labels; those in the table's metadata when None.
        facts: short texts on the run by name: data set, model, epochs, seeds, time.

    Returns:
        The path.

    Raises:
        CurateError: a table lacks a needed column, the selection does not fit, an accuracy is not
            within 0..1, or ``image`` returns something other than a picture.
        OSError: the file cannot be written.
    """
    if len(table) == 0:
        raise CurateError("table: it has no rows; give the table of a finished run")
    outcomes = outcomes_of(table)
    chosen = None if selection is None else align_selection(table, selection)
    kept = None if chosen is None else np.asarray(chosen["kept"], bool)
    names = metadata(table).get("class_names") if class_names is None else class_names
    name_of = _namer(names)
    compared = [] if accuracies is None else group_by_arm(accuracies, intervals)
    removal = None if curve is None else points_by_arm(curve)
    certified = None if selection is None else len(selection)
    rows, classes = class_rows(table, outcomes, kept, name_of)
    shown = galleries(table, outcomes, kept, name_of, image, words)
    doubted = sum(gallery.total for gallery in shown if gallery.title == DOUBTFUL)
    seen = np.unique([card.row for gallery in shown for card in gallery.cards]).astype(np.int64)
    examples = sample(table, outcomes, chosen, name_of, seen)
    others = np.setdiff1d(np.array(list(examples.place), np.int64), seen)
    if len(others) and (image or words):
        shown.append(rest(table, outcomes, kept, others, name_of, image, words))
    return write_page(
        path,
        "report.html.jinja",
        contents=_contents(bool(removal or claims or losses), bool(compared), classes > 0),
        title=clean(title, 160),
        verdicts=[clean(sentence, 600) for sentence in list(verdicts)[:12]],
        headline=_headline(outcomes, selection, kept),
        conclusion=conclusion(outcomes, kept, compared, doubted),
        selected=kept is not None,
        figures=_key_figures(outcomes, kept),
        facts=_entries(facts or {}),
        removal=wide_and_narrow(lambda width: draw_curve(removal, width, certified))
        if removal
        else None,
        certified=certified,
        claims=None if claims is None else claims_table(claims),
        losses=None if losses is None else losses_table(losses),
        arms=compared,
        arms_table=_arms_table(compared),
        accuracy=wide_and_narrow(lambda width: draw_accuracy(compared, width))
        if compared
        else None,
        histogram=wide_and_narrow(lambda width: draw_histogram(outcomes, kept, width)),
        data_map=wide_and_narrow(lambda width: draw_data_map(table, kept, width))
        if has_data_map(table)
        else None,
        unpresented=int((~outcomes.presented).sum()),
        galleries=shown,
        classes=rows,
        class_count=classes,
        examples=with_links(examples, shown),
        policy=_entries({} if selection is None else selection.policy),
        origin=_entries(_origin(table)),
    )


def _contents(searched: bool, compared: bool, classed: bool) -> dict[str, str]:
    """The parts of the page that there are: anchor and heading."""
    parts = {
        "size": "How small it can get" if searched else "",
        "cost": "What the pruning cost" if compared else "",
        "forgotten": "What was forgotten",
        "examples-to-look-at": "Examples to look at",
        "classes": "Class by class" if classed else "",
        "origin": "Where this comes from",
        "terms": "How to read this",
    }
    return {anchor: title for anchor, title in parts.items() if title}


def _arms_table(arms: list[Arm]) -> dict[str, Any]:
    bounded = any(arm.low is not None for arm in arms)
    ends = ((min(arm.accuracies), max(arm.accuracies)) for arm in arms)
    return {
        "title": "Accuracy in numbers,",
        "note": "percent" + (", with the interval of the mean" if bounded else ""),
        "heads": ["Trained on", "Runs", "Mean", "Lowest", "Highest"],
        "rows": [
            [arm.title, str(len(arm.accuracies)), arm.interval, *(percent(e, 1, 2) for e in both)]
            for arm, both in zip(arms, ends, strict=True)
        ],
    }


def _namer(names: Sequence[str] | None) -> Callable[[object], str]:
    def name_of(label: object) -> str:
        if label is None:
            return ""
        if names is not None and isinstance(label, int) and 0 <= label < len(names):
            return clean(names[label])
        return clean(label)

    return name_of


def _headline(outcomes: Outcomes, selection: Any | None, kept: np.ndarray | None) -> str:
    total = len(outcomes.events)
    if selection is None or kept is None:
        return f"Training dynamics of {count(total)} examples."
    policy = selection.policy
    words = f"Kept {count(kept.sum())} of {count(total)} examples ({percent(kept.mean())})"
    if "by" in policy:
        words += f", ranked by {clean(policy['by'], 60)}"
    if "strategy" in policy:
        words += f", strategy {clean(policy['strategy'], 60)}"
    return " ".join([f"{words}.", *words_on_empty_classes(selection.summary())])


def _key_figures(outcomes: Outcomes, kept: np.ndarray | None) -> list[dict[str, str]]:
    total = len(outcomes.events)
    shares = [] if kept is None else [("kept", int(kept.sum()))]
    shares += [
        ("unforgettable", int(outcomes.unforgettable.sum())),
        ("forgotten at least once", int((outcomes.events > 0).sum())),
        ("never learned", int(outcomes.never_learned.sum())),
    ]
    first = {"name": "examples", "value": count(total), "share": ""}
    others = [
        {"name": name, "value": count(number), "share": percent(number, total)}
        for name, number in shares
    ]
    return [first, *others]


def _entries(pairs: Mapping[str, object]) -> list[tuple[str, str]]:
    """At most 60 names with their values, as short texts."""
    return [
        (
            clean(name, 60).replace("_", " "),
            clean(value if isinstance(value, str) else json.dumps(value, default=str), 300),
        )
        for name, value in list(pairs.items())[:60]
    ]


def _origin(table: pa.Table) -> dict[str, object]:
    entries = {key: value for key, value in metadata(table).items() if key != "class_names"}
    recording = entries.pop("recording", None)
    if isinstance(recording, Mapping):
        entries.update({f"recording: {key}": value for key, value in recording.items()})
    return entries
