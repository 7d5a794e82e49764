"""Every score by its name."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from curate.errors import CurateError
from curate.scores.dynamics import (
    aum,
    confidence,
    el2n,
    first_learned,
    forgetting,
    loss,
    margin,
    variability,
)
from curate.table._hash_ids import hash_ids
from curate.table.column import floats, require


class Score(NamedTuple):
    """A score and the columns of the example table that it reads."""

    function: Callable[[pa.Table], np.ndarray]
    columns: tuple[str, ...]
    columns_if_merged: tuple[str, ...] = ()


def _grand(table: pa.Table) -> np.ndarray:
    return floats(table, "grand")


def random(table: pa.Table, *, seed: int = 0) -> np.ndarray:
    """A number drawn for each ``example_id`` from the seed, by hashing (:func:`hash_ids`).

    It depends on nothing else: not on the order of the rows, nor on which others there are.

    Returns:
        float64 of shape (rows,), uniform in [0, 1).
    """
    hashes = hash_ids(require(table, "example_id"), seed=seed, purpose="random")
    return (hashes >> np.uint64(11)) * 2.0**-53


SCORES: dict[str, Score] = {
    "forgetting": Score(
        forgetting, ("forgetting_events", "first_learned"), ("runs", "runs_learned")
    ),
    "first_learned": Score(first_learned, ("first_learned", "presentations")),
    "aum": Score(aum, ("margin_mean",)),
    "el2n": Score(el2n, ("el2n_mean",)),
    "confidence": Score(confidence, ("confidence_mean",)),
    "variability": Score(variability, ("confidence_std",)),
    "loss": Score(loss, ("loss_mean",)),
    "margin": Score(margin, ("margin_last",)),
    "random": Score(random, ("example_id",)),
    "grand": Score(_grand, ("grand",)),
}
"""All scores; to add one, write its file and name it here."""


def score(table: pa.Table, name: str, *, seed: int = 0) -> np.ndarray:
    """The named score of every row of an example table. High = hard = keep.

    Args:
        table: an example table (``curate.Recorder.table``, ``curate.read``, ``curate.merge``).
        name: one of ``curate.scores.SCORES``.
        seed: draws the score ``"random"``; the others do not depend on it.

    Returns:
        float64 of shape (rows,), NaN where the score is not known (never presented, or no
        presentation had finite logits).

    Raises:
        CurateError: an unknown name, or a table that lacks the score's column.
    """
    check_name(name)
    if name == "random":
        return random(table, seed=seed)
    return SCORES[name].function(table)


def check_name(name: str) -> None:
    """Raise an error that lists the scores unless ``name`` is one."""
    if name not in SCORES:
        raise CurateError(f"by: {name!r} is no score; choose one of {', '.join(SCORES)}")
