"""What an audit of a training and a test set found."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import CurateError, is_choice
from curate.pruning import Selection, prune
from curate.retest.duplicates.result import NearDuplicates


@dataclass(frozen=True, eq=False, repr=False)
class SplitAudit:
    """A training set and a test set, looked through (:func:`curate.retest.audit_split`).

    Attributes:
        leaks: copies of test images in the training set.
        test_duplicates: copies within the test set.
        train_duplicates: copies within the training set.
        label_conflicts: copies with different labels: ``set`` ("train", "test" or "both": one in
            each), ``example_id``, ``neighbour_id``, ``probability``, ``exact``, ``label``,
            ``neighbour_label``.
        label_errors: ``set``, ``example_id``, ``label`` and ``neighbours_label``, that of all ten
            nearest training images.
        classes: ``label``, ``name``, ``train`` and ``test`` (examples).
    """

    leaks: NearDuplicates
    test_duplicates: NearDuplicates
    train_duplicates: NearDuplicates
    label_conflicts: pa.Table
    label_errors: pa.Table
    classes: pa.Table

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """What should be mended before a test result is trusted, one sentence each."""
        found = []
        leaked = len(pc.unique(self.leaks.pairs["example_id"]))
        total = len(self.leaks.ids[0])
        if leaked:
            found.append(
                f"{leaked:,} of {total:,} test images ({leaked / total:.2%}) have a copy in the "
                "training set."
            )
        copies = self.test_duplicates.columns()["duplicate_of"]
        if copies.null_count < len(copies):
            found.append(
                f"{len(copies) - copies.null_count:,} test images are copies of other test images."
            )
        if len(self.label_conflicts):
            found.append(f"{len(self.label_conflicts):,} pairs of copies have different labels.")
        for row in self.classes.to_pylist():
            if row["test"] and not row["train"]:
                found.append(f"Class {row['name']!r} has test images but no training images.")
        return tuple(found)

    @property
    def passed(self) -> bool:
        """Whether there are no problems. Copies within the training set are none."""
        return not self.problems

    def columns(self, of: Literal["train", "test"]) -> pa.Table:
        """Columns of one set for its example table, to be joined by ``example_id``.

        ``duplicate_of`` (within the set), ``nearest_test`` (training set only) and
        ``duplicate_probability`` (of the likelier of the two).
        """
        if not is_choice(of, ("train", "test")):
            raise CurateError(f"of: {of!r}; give 'train' or 'test'")
        if of == "test":
            return self.test_duplicates.columns()
        inside, across = self.train_duplicates.columns(), self.leaks.columns("b")
        likelier = pc.max_element_wise(
            inside["duplicate_probability"], across["duplicate_probability"]
        )
        return pa.table(
            [inside["example_id"], inside["duplicate_of"], across["nearest_test"], likelier],
            schema=pa.schema(
                [
                    inside.schema.field("example_id"),
                    inside.schema.field("duplicate_of"),
                    across.schema.field("nearest_test"),
                    inside.schema.field("duplicate_probability"),
                ]
            ),
        )

    def repaired(self, keep: Literal["test", "train"] = "test") -> tuple[Selection, Selection]:
        """Selections of the training and of the test set without copies, for ``curate.export``.

        Args:
            keep: which of a copy in both sets stays: "test" removes it from the training set, so
                that results stay comparable with others' on this test set; "train" removes it
                from the test set.

        Returns:
            What is kept of the training and of the test set.
        """
        if not is_choice(keep, ("test", "train")):
            raise CurateError(f"keep: {keep!r}; give 'test' or 'train'")
        train, test = self.train_duplicates.columns(), self.test_duplicates.columns()
        leaked = self.leaks.columns("b" if keep == "test" else "a")["nearest_test"]
        if keep == "test":
            train = train.append_column("nearest_test", leaked)
        else:
            test = test.append_column("nearest_test", leaked)
        return _without_copies(train, "train"), _without_copies(test, "test")

    def to_dict(self) -> dict[str, Any]:
        """Counts and problems as JSON values."""
        kept = {
            name: {
                "pairs": len(found.pairs),
                "exact": int(pc.sum(found.pairs["exact"], min_count=0).as_py()),
                "estimated_share": found.share,
                "recall_of_planted_copies": found.recall.to_pylist()[-1]["found"],
                "recall_of_index": found.index_recall,
                "threshold": found.threshold,
            }
            for name, found in (
                ("leaks", self.leaks),
                ("test_duplicates", self.test_duplicates),
                ("train_duplicates", self.train_duplicates),
            )
        }
        return {
            "passed": self.passed,
            "problems": list(self.problems),
            **kept,
            "label_conflicts": len(self.label_conflicts),
            "label_errors": len(self.label_errors),
            "classes": self.classes.to_pylist(),
        }

    def __repr__(self) -> str:
        """One line."""
        verdict = "passed" if self.passed else f"{len(self.problems)} problems"
        return f"SplitAudit({verdict}, {len(self.leaks.pairs):,} leaks)"

    def __str__(self) -> str:
        """The problems, then what else was found."""
        lines = list(self.problems) or ["No problem was found."]
        copies = self.train_duplicates.columns()["duplicate_of"]
        lines.append(
            f"{len(copies) - copies.null_count:,} of {len(copies):,} training images are copies of "
            "other training images."
        )
        lines.append(f"{len(self.label_errors):,} labels are unlike all their neighbours'.")
        row = self.leaks.recall.to_pylist()[-1]
        lines.append(
            f"Of planted copies {row['found']:.1%} ({row['low']:.1%} to {row['high']:.1%}) are "
            f"found at a probability of {self.leaks.threshold:g}."
        )
        return "\n".join(lines)


def _without_copies(columns: pa.Table, name: str) -> Selection:
    known = {"duplicate_of", "nearest_test"} & set(columns.column_names)
    marks = [columns[each] for each in sorted(known)]
    copy = np.zeros(len(columns), bool)
    for mark in marks:
        copy |= ~np.asarray(pc.is_null(mark))
    if copy.all():
        raise CurateError(f"{name}: every example is a copy; nothing would be left")
    kept = int((~copy).sum())
    return prune(columns, kept, by=np.ones(len(columns)), strategy="random", duplicates="drop")
