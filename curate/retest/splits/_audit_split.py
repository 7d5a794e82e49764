"""Is a test set clean? Copies, labels and classes of a training and a test set."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from curate.data.view import View
from curate.retest.duplicates._near_duplicates import check_threshold, feature_function
from curate.retest.duplicates.comparing import compare, make_ready
from curate.retest.duplicates.images import as_view, natural_size, read_images
from curate.retest.splits.label_errors import label_conflicts, unanimous_errors
from curate.retest.splits.result import SplitAudit


def audit_split(
    train: Any,
    test: Any,
    *,
    features: Any = "local_dct",
    threshold: float = 0.9,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> SplitAudit:
    """Look for leaks, copies, likely label errors and classes that are missing.

    Args:
        train: images, as for :func:`curate.retest.near_duplicates`.
        test: images.
        features: as there.
        threshold: probability from which on a pair counts as a copy.
        seed: of the planted copies and the samples.
        on_progress: called with the images searched and their number, in all three searches.

    Raises:
        CurateError: as :func:`curate.retest.near_duplicates`.
    """
    views = as_view("train", train), as_view("test", test)
    check_threshold(threshold)
    side = natural_size("train", views[0])
    sets = [
        read_images(name, view, side) for name, view in zip(("train", "test"), views, strict=True)
    ]
    function = feature_function(features)
    ready = [make_ready(images, function, seed) for images in sets]
    total = 2 * len(sets[1]) + len(sets[0])
    found = []
    before = 0
    for queries, searched in ((1, 0), (1, 1), (0, 0)):

        def progress(done: int, _: int, before: int = before) -> None:
            if on_progress is not None:
                on_progress(before + done, total)

        within = queries == searched
        found.append(compare(sets[queries], ready[searched], threshold, within, seed, progress))
        before += len(sets[queries])
    leaks, inside_test, inside_train = found
    labels = views[0].labels, views[1].labels
    return SplitAudit(
        leaks=leaks,
        test_duplicates=inside_test,
        train_duplicates=inside_train,
        label_conflicts=_stacked(
            [
                ("both", label_conflicts(leaks, labels[1], labels[0])),
                ("test", label_conflicts(inside_test, labels[1], labels[1])),
                ("train", label_conflicts(inside_train, labels[0], labels[0])),
            ]
        ),
        label_errors=_stacked(
            [
                ("test", unanimous_errors(leaks, labels[1], labels[0])),
                ("train", unanimous_errors(inside_train, labels[0], labels[0])),
            ]
        ),
        classes=_classes(views),
    )


def _stacked(parts: Sequence[tuple[str, pa.Table]]) -> pa.Table:
    named = []
    for name, table in parts:
        column = pa.array([name] * len(table), pa.string())
        table = table.add_column(0, "set", column)
        for position, field in enumerate(table.schema):  # ids of two sets may be of two types
            if field.name.endswith("_id"):
                text = table[field.name].cast(pa.string())
                table = table.set_column(position, field.name, text)
        named.append(table)
    return pa.concat_tables(named)


def _classes(views: tuple[View, View]) -> pa.Table:
    counted = [Counter([] if view.labels is None else view.labels.tolist()) for view in views]
    labels = sorted({*counted[0], *counted[1]})
    return pa.table(
        {
            "label": pa.array(labels, pa.int64()),
            "name": pa.array([views[0].class_name(int(label)) for label in labels], pa.string()),
            "train": pa.array([counted[0][label] for label in labels], pa.int64()),
            "test": pa.array([counted[1][label] for label in labels], pa.int64()),
        }
    )
