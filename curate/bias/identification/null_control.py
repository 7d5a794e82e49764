"""The null control: two halves of one source must not be told apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import torch

from curate.bias.classifiers.fitting import Fit, Inputs, gathered
from curate.bias.identification.splits import draw_equal, split_folds
from curate.stats.exact import clopper_pearson
from curate.stats.seeds import generator

_LEVEL = 0.95


@dataclass(frozen=True, eq=False, repr=False)
class NullControl:
    """How well random halves of one source were told apart, where nothing parts them.

    Attributes:
        table: one row per source that was split in two at random: ``source``, ``accuracy`` (chance
            is 0.5), exact 95 % interval ``low`` and ``high``, ``train`` and ``test`` examples in
            all, ``at_chance`` bool: false if chance lies outside the exact interval at the level
            that all sources together miss by chance in at most 5 % of all games. Far below chance
            counts as well: near copies in both halves bring that about.
    """

    table: pa.Table

    @cached_property
    def alarms(self) -> tuple[str, ...]:
        """The sources that did not come out at chance."""
        rows = self.table.to_pylist()
        return tuple(row["source"] for row in rows if not row["at_chance"])

    def __repr__(self) -> str:
        return f"NullControl(sources: {len(self.table)}, not at chance: {len(self.alarms)})"

    def __str__(self) -> str:
        """One line."""
        rows = self.table.to_pylist()
        if not rows:
            return "Null control: no source is large enough to be split in two."
        lowest, highest = (of(row["accuracy"] for row in rows) for of in (min, max))
        shown = f"{lowest:.1%}" if lowest == highest else f"{lowest:.1%} to {highest:.1%}"
        said = "at chance" if not self.alarms else f"NOT at chance: {', '.join(self.alarms)}"
        what = "a source" if len(rows) == 1 else f"each of {len(rows)} sources"
        found = f"random halves of {what} are told apart with {shown}"
        return f"Null control: {found} (chance 50 %), {said}."


def null_control(
    names: Sequence[str],
    inputs: Inputs,
    groups: Sequence[np.ndarray],
    train_size: int,
    test_size: int,
    fit: Fit,
    seed: int,
) -> NullControl:
    """Play the game between two random halves of every source.

    Args:
        names: of the sources.
        inputs: features or pixels of every source.
        groups: marks of equal images, of every source.
        train_size: examples of each half to train on, at most.
        test_size: the same, to be tested; smaller sources keep the proportion.
        fit: the classifier.
        seed: of the halves.
    """
    rows = []
    for position, (name, part, marks) in enumerate(zip(names, inputs, groups, strict=True)):
        rng = generator(seed, 4, position)
        found = halves(part, marks, train_size, test_size, fit, rng)
        if found is not None:
            right, tested, trained = found
            low, high = clopper_pearson(right, tested, _LEVEL)
            least, most = clopper_pearson(right, tested, 1 - (1 - _LEVEL) / len(names))
            rows.append(
                {
                    "source": name,
                    "accuracy": right / tested,
                    "low": low,
                    "high": high,
                    "train": trained,
                    "test": tested,
                    "at_chance": least <= 0.5 <= most,
                }
            )
    return NullControl(pa.Table.from_pylist(rows, schema=_SCHEMA))


def halves(
    part: np.ndarray | torch.Tensor,
    marks: np.ndarray,
    train_size: int,
    test_size: int,
    fit: Fit,
    rng: np.random.Generator,
) -> tuple[int, int, int] | None:
    """Split one source in two at random and try to tell its halves apart.

    Returns:
        Correct answers, examples tested, examples trained on; None if the source is too small.
    """
    (half,) = split_folds([marks], len(marks) // 2, 1 << 30, rng)
    rows = draw_equal([marks, marks], [half == 0, half > 0], train_size + test_size, rng)
    test = round(len(rows[0]) * test_size / (train_size + test_size))
    if min(test, len(rows[0]) - test) < 1:
        return None
    x, y = gathered([part, part], [own[test:] for own in rows])
    test_x, test_y = gathered([part, part], [own[:test] for own in rows])
    right = int((fit(x, y, 2)(test_x).argmax(1) == test_y).sum())
    return right, len(test_y), len(y)


_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("accuracy", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("train", pa.int64()),
        ("test", pa.int64()),
        ("at_chance", pa.bool_()),
    ]
)
