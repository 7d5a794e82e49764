"""A new test set whose sub-classes are as frequent as those of the original one."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import CurateError
from curate.retest.matching.clusters import clusters
from curate.retest.matching.result import Matched
from curate.retest.matching.sizes import sample_sizes
from curate.stats import generator
from curate.table import as_table


def match(
    pool: Any,
    original: Any,
    by: str = "keyword",
    n: int = 2000,
    *,
    rule: str = "v6",
    total: int | None = None,
    leave_out: Iterable[Any] = (),
    seed: int = 0,
) -> Matched:
    """Draw a new test set from a pool of candidates, matched to the original set.

    The paper's sampling: how often each sub-class (keyword) occurs in the original set decides
    how many candidates of it are drawn (Recht et al., 2018, section 3.2; rules of CIFAR-10.1 v4
    and v6, :func:`curate.retest.sample_sizes`). Which are drawn depends on the seed and the ids,
    not on the order of rows.

    Args:
        pool: a table with one row per candidate: ``example_id``, the column ``by``, and where
            classes shall be equally large (rule "v6") ``label``.
        original: the same of the original set, whose ids are not asked for; or, for a column,
            sub-class -> number of examples.
        by: the column that names the sub-class; or "embedding", a column of lists of numbers,
            whose sub-classes are clusters of the original set, 25 a class.
        n: the number of examples, about (rule "v4") or exactly, if the pool has them.
        rule: "v4" or "v6".
        total: see :func:`curate.retest.sample_sizes`.
        leave_out: ids of candidates that may not be drawn: near-duplicates of the original set
            or of each other, and those that annotators rejected.
        seed: of the draw.

    Raises:
        CurateError: tables without these columns, ids that are there twice, sub-classes without
            a class, or sizes that cannot be (see :func:`curate.retest.sample_sizes`).
    """
    candidates = _checked(pool, "pool", ("example_id", by))
    ids = candidates["example_id"].combine_chunks()
    if len(pc.unique(ids)) < len(ids):
        raise CurateError("pool: an example_id is there twice; give every candidate one row")
    classes: dict[str, object] | None
    if isinstance(original, Mapping):
        if by == "embedding":
            raise CurateError("original: counts have no embeddings; give a table of them")
        counts = {str(name): int(count) for name, count in original.items()}
        names = _names(candidates[by], "pool", by)
        classes = _classes(names, candidates, "pool") if rule == "v6" else None
    else:
        table = _checked(original, "original", (by,))
        if by == "embedding":
            names, of_original = clusters(candidates, table, seed)
        else:
            names, of_original = (
                _names(candidates[by], "pool", by),
                _names(table[by], "original", by),
            )
        counts = dict(Counter(of_original))
        classes = _classes(of_original, table, "original") if rule == "v6" else None
    if classes is not None:
        lost = [name for name in counts if name not in classes]
        if lost:
            raise CurateError(
                f"original: {lost[0]!r} has no candidate that would tell its class; give a table "
                "with 'label' rather than counts, or rule='v4'"
            )
    wanted = sample_sizes(counts, n, rule, classes=classes, total=total)
    barred = set(leave_out)
    chosen, shortfall = _draw(ids.to_pylist(), names, wanted, barred, seed)
    rows = candidates.take(pa.array(chosen, pa.int64()))
    if by == "embedding":
        subclass = pa.array([names[row] for row in chosen], pa.string())
        rows = rows.append_column("subclass", subclass)
    sizes = pa.table(
        {
            "subclass": list(wanted),
            "original": [counts[name] for name in wanted],
            "wanted": list(wanted.values()),
            "available": [available for available, _ in shortfall],
            "drawn": [drawn for _, drawn in shortfall],
        }
    )
    options = {"by": by, "n": n, "rule": rule, "total": total, "seed": seed}
    return Matched(rows, sizes, options, len(ids))


def _draw(
    ids: list[Any], names: list[str], wanted: Mapping[str, int], barred: set[Any], seed: int
) -> tuple[list[int], list[tuple[int, int]]]:
    """Rows of the pool, and of every sub-class how many there were and how many are drawn."""
    members: dict[str, list[int]] = {name: [] for name in wanted}
    for row, name in enumerate(names):
        if name in members and ids[row] not in barred:
            members[name].append(row)
    chosen: list[int] = []
    found = []
    for position, (name, size) in enumerate(wanted.items()):
        rows = sorted(members[name], key=lambda row: ids[row])
        drawn = min(size, len(rows))
        order = generator(seed, position).permutation(len(rows))[:drawn]
        chosen += [rows[place] for place in order.tolist()]
        found.append((len(rows), drawn))
    return chosen, found


def _checked(given: Any, name: str, columns: Iterable[str]) -> pa.Table:
    table = as_table(given, name)
    for column in columns:
        if column not in table.column_names:
            raise CurateError(f"{name}: it has no column {column!r}, only {table.column_names[:8]}")
        if table[column].null_count:
            raise CurateError(f"{name}: {column!r} is missing in some rows; fill it in")
    if not len(table):
        raise CurateError(f"{name}: it has no rows")
    return table


def _names(column: pa.ChunkedArray, name: str, by: str) -> list[str]:
    if pa.types.is_nested(column.type):
        raise CurateError(f"{name}: {by!r} holds lists; give a column of names, or by='embedding'")
    return [str(value) for value in column.to_pylist()]


def _classes(names: list[str], table: pa.Table, name: str) -> dict[str, object]:
    if "label" not in table.column_names:
        raise CurateError(
            f"{name}: it has no column 'label', by which classes are made equally large; add it, "
            "or give rule='v4'"
        )
    found: dict[str, object] = {}
    for subclass, label in zip(names, table["label"].to_pylist(), strict=True):
        if found.setdefault(subclass, label) != label:
            raise CurateError(
                f"{name}: {subclass!r} is of class {found[subclass]} and of class {label}; give "
                "every sub-class one class"
            )
    return found
