"""Labels that are likely wrong: copies that differ in it, and neighbourhoods that all disagree."""

import numpy as np
import pyarrow as pa

from curate.retest.duplicates.result import NearDuplicates

_NEIGHBOURS = 10
_TRUSTED = 0.95  # accuracy that unanimous neighbours must have on this set to accuse anyone
_FEWEST = 50  # unanimous neighbourhoods that tell that accuracy


def label_conflicts(
    found: NearDuplicates, labels: np.ndarray | None, others: np.ndarray | None
) -> pa.Table:
    """Pairs of copies with different labels: the rows of ``found.pairs``, with both labels.

    Args:
        found: copies of examples with ``labels`` among those with ``others``.
        labels: int64 (n,), or None where they are not known: no conflicts.
        others: int64 (m,), or None.
    """
    pairs = found.pairs
    if labels is None or others is None:
        return _with_labels(pairs.slice(0, 0), np.empty(0, int), np.empty(0, int))
    own = dict(zip(_plain(found.ids[0]), labels.tolist(), strict=True))
    other = dict(zip(_plain(found.ids[1]), others.tolist(), strict=True))
    first = np.array([own[value] for value in pairs["example_id"].to_pylist()], int)
    second = np.array([other[value] for value in pairs["neighbour_id"].to_pylist()], int)
    differ = first != second
    return _with_labels(pairs.filter(pa.array(differ)), first[differ], second[differ])


def unanimous_errors(
    found: NearDuplicates, labels: np.ndarray | None, others: np.ndarray | None
) -> pa.Table:
    """Examples whose ten nearest all have one label, and not theirs.

    Nobody is accused where such neighbourhoods are right about less than 95 % of the set's
    labels, or where there are fewer than 50 of them.

    Returns:
        ``example_id``, ``label`` and ``neighbours_label``.
    """
    empty = pa.table(
        {
            "example_id": found.table["example_id"].slice(0, 0),
            "label": pa.array([], pa.int64()),
            "neighbours_label": pa.array([], pa.int64()),
        }
    )
    rows, theirs = found.row_pairs
    whole = np.bincount(rows, minlength=len(found.ids[0])) == _NEIGHBOURS
    if labels is None or others is None or not whole.any():
        return empty
    inside = whole[rows]
    votes = others[theirs[inside]].reshape(-1, _NEIGHBOURS)
    asked = np.flatnonzero(whole)
    unanimous = (votes == votes[:, :1]).all(1)
    right = votes[unanimous, 0] == labels[asked[unanimous]]
    if len(right) < _FEWEST or right.mean() < _TRUSTED:
        return empty
    accused = asked[unanimous][~right]
    ids = _plain(found.ids[0])
    return pa.table(
        {
            "example_id": pa.array([ids[row] for row in accused], empty["example_id"].type),
            "label": pa.array(labels[accused], pa.int64()),
            "neighbours_label": pa.array(votes[unanimous, 0][~right], pa.int64()),
        }
    )


def _plain(ids: object) -> list[int | str]:
    return ids.tolist() if isinstance(ids, np.ndarray) else list(ids)  # type: ignore[call-overload]


def _with_labels(pairs: pa.Table, first: np.ndarray, second: np.ndarray) -> pa.Table:
    kept = pairs.select(["example_id", "neighbour_id", "probability", "exact"])
    kept = kept.append_column("label", pa.array(first, pa.int64()))
    return kept.append_column("neighbour_label", pa.array(second, pa.int64()))
