"""Single columns of tables that tell sources apart by themselves, by name."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pyarrow as pa

from curate.bias.audit.probe_answers import ProbeAnswers
from curate.bias.identification.result import Caution
from curate.bias.sources.source import Source
from curate.stats import holm

_LEVEL = 0.01
_LEAST = 0.56
"""Accuracy between two sources below which a column is not worth a warning, as in the audit."""

_LEAF = 5
_WARNED = 10
_LABEL = "the label"


def single_columns(
    sources: Sequence[Source], train: Sequence[np.ndarray], test: Sequence[np.ndarray]
) -> pa.Table | None:
    """How well each column alone tells each two sources apart, by a small tree.

    A tree sees what a linear classifier does not: another spread, holes, a value of its own.

    Args:
        sources: of features; labels count as a column where all sources have them.
        train: rows of every source to learn from.
        test: others, as many of each source, to judge by.

    Returns:
        One row per column and pair of sources, the best first: ``column``, ``first``, ``second``,
        ``accuracy`` (chance 0.5), ``p_value`` (exact, binomial), ``p_holm`` (over all rows),
        ``named``: whether it is one to warn of. None for images, and for arrays without names.
    """
    columns = _columns(sources)
    if not columns:
        return None
    rows = []
    for name, parts in columns.items():
        answers = _answers(parts, train, test)
        for first, second in combinations(range(len(sources)), 2):
            accuracy, p_value = answers.pair_accuracy(first, second)
            rows.append((name, sources[first].name, sources[second].name, accuracy, p_value))
    adjusted = holm(np.array([row[4] for row in rows]))
    order = sorted(range(len(rows)), key=lambda place: (-rows[place][3], rows[place][0]))
    return pa.Table.from_pylist(
        [
            {
                "column": rows[place][0],
                "first": rows[place][1],
                "second": rows[place][2],
                "accuracy": rows[place][3],
                "p_value": rows[place][4],
                "p_holm": float(adjusted[place]),
                "named": bool(adjusted[place] <= _LEVEL and rows[place][3] >= _LEAST),
            }
            for place in order
        ]
    )


def column_alarms(table: pa.Table | None) -> list[Caution]:
    """A warning for each column that tells two sources apart by itself, the best ten."""
    best: dict[str, list[dict[str, object]]] = {}
    for row in [] if table is None else table.to_pylist():
        if row["named"]:
            best.setdefault(row["column"], []).append(row)
    cautions: list[Caution] = []
    for name, rows in list(best.items())[:_WARNED]:
        top, more = rows[0], len(rows) - 1
        what = "The label" if name == _LABEL else f"The column {name!r}"
        also = f", and {more} more pair{'s' * (more > 1)} of sources" if more else ""
        fix = (
            "Take as many of each class from both."
            if name == _LABEL
            else "Leave it out, or make it alike, unless it is what you mean to compare."
        )
        text = (
            f"{what} alone tells {top['first']!r} and {top['second']!r} apart at "
            f"{top['accuracy']:.0%} (chance 50%){also}. {fix}"
        )
        if len(cautions) == _WARNED - 1 and len(best) > _WARNED:
            text += f" {len(best) - _WARNED} more columns do so, too."
        pair = (str(top["first"]), str(top["second"]))
        cautions.append(Caution("labels" if name == _LABEL else f"column {name}", pair, text))
    return cautions


def _columns(sources: Sequence[Source]) -> dict[str, list[np.ndarray]]:
    """The numbers of each column that all sources have, by name: (n, numbers) of every source."""
    if any(source.has_images or source.features is None for source in sources):
        return {}
    names = sources[0].columns
    if names is None or any(source.columns != names for source in sources):
        return {}
    found = {}
    different = list(dict.fromkeys(names))
    if len(different) > 1 or len(names) == 1:  # one column of lists is the whole, not a part
        for name in different:
            places = [place for place, other in enumerate(names) if other == name]
            found[name] = [
                source.features[:, places] for source in sources if source.features is not None
            ]
    labels = [_label_words(source) for source in sources]
    if all(own is not None for own in labels):
        kinds = sorted(set().union(*(set(own.tolist()) for own in labels if own is not None)))
        if 2 <= len(kinds) <= 1000:
            place = {kind: number for number, kind in enumerate(kinds)}
            found[_LABEL] = [
                np.array([[place[label]] for label in own.tolist()], np.float64)
                for own in labels
                if own is not None
            ]
    return found


def _label_words(source: Source) -> np.ndarray | None:
    if source.labels is None:
        return None
    names = source.class_names
    if names is None or source.labels.max(initial=0) >= len(names):
        return source.labels.astype(str)
    return np.array(names, object)[source.labels]


def _answers(
    parts: Sequence[np.ndarray], train: Sequence[np.ndarray], test: Sequence[np.ndarray]
) -> ProbeAnswers:
    from sklearn.tree import DecisionTreeClassifier

    x, asked = (
        np.concatenate([part[rows] for part, rows in zip(parts, chosen, strict=True)])
        for chosen in (train, test)
    )
    y, truth = (
        np.repeat(np.arange(len(parts)), [len(rows) for rows in own]) for own in (train, test)
    )
    k = len(parts)
    tree = DecisionTreeClassifier(
        max_leaf_nodes=4 * k, min_samples_leaf=min(_LEAF, max(1, len(y) // 10)), random_state=0
    )
    scores = tree.fit(x, y).predict_proba(asked)
    noise = np.random.default_rng(0).random(scores.shape)  # no ties
    return ProbeAnswers(truth, scores + 1e-9 * noise)
