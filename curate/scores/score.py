"""Every score by its name."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from curate.errors import CurateError
from curate.scores.aum import aum
from curate.scores.column import floats
from curate.scores.confidence import confidence
from curate.scores.el2n import el2n
from curate.scores.first_learned import first_learned
from curate.scores.forgetting import forgetting
from curate.scores.loss import loss
from curate.scores.margin import margin
from curate.scores.random import random
from curate.scores.variability import variability


class Score(NamedTuple):
    """A score and the columns of the example table that it reads."""

    function: Callable[[pa.Table], np.ndarray]
    columns: tuple[str, ...]
    columns_if_merged: tuple[str, ...] = ()


def _grand(table: pa.Table) -> np.ndarray:
    return floats(table, "grand")


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
