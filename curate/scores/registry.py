"""Every score by its name, and what else a table can be ranked by."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import torch

from curate.errors import CurateError
from curate.scores.dynamics import (
    aum,
    confidence,
    cross_fitted_confidence,
    cross_fitted_el2n,
    cross_fitted_margin,
    dual,
    dyn_unc,
    el2n,
    first_learned,
    forgetting,
    loss,
    margin,
    mislabel,
    tdds,
    variability,
)
from curate.table._as_table import as_table
from curate.table._hash_ids import hash_ids
from curate.table.column import floats, require

ScoreName = Literal[
    "forgetting",
    "first_learned",
    "aum",
    "el2n",
    "confidence",
    "variability",
    "dual",
    "dyn_unc",
    "tdds",
    "cross_fitted_margin",
    "cross_fitted_confidence",
    "cross_fitted_el2n",
    "loss",
    "margin",
    "mislabel",
    "random",
    "grand",
]
"""The names in ``SCORES``, for editors and type checkers."""

By: TypeAlias = (
    ScoreName | str | Callable[[pa.Table], Any] | Sequence[float] | np.ndarray | pa.Array
)
"""A score's name, a column's name, an array of shape (rows,), or a function table -> array."""


class Score(NamedTuple):
    """A score, the columns of the example table that it reads, and its line in the docs."""

    function: Callable[[pa.Table], np.ndarray]
    columns: tuple[str, ...]
    columns_if_merged: tuple[str, ...] = ()
    help: str = ""
    paper: str = ""


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


_TONEVA = "Toneva et al., ICLR 2019"
_PAUL = "Paul et al., NeurIPS 2021"
_SWAYAMDIPTA = "Swayamdipta et al., EMNLP 2020"

SCORES: dict[str, Score] = {
    "forgetting": Score(
        forgetting,
        ("forgetting_events", "first_learned"),
        ("runs", "runs_learned"),
        help="forgetting events; +∞ where a run never learned the example",
        paper=_TONEVA,
    ),
    "first_learned": Score(
        first_learned,
        ("first_learned", "presentations"),
        help="presentations until first correct; +∞ where never",
        paper=_TONEVA,
    ),
    "aum": Score(
        aum, ("margin_mean",), help="minus the mean margin", paper="Pleiss et al., NeurIPS 2020"
    ),
    "el2n": Score(el2n, ("el2n_mean",), help="mean norm of softmax(logits) − onehot", paper=_PAUL),
    "confidence": Score(
        confidence,
        ("confidence_mean",),
        help="minus the mean probability of the label",
        paper=_SWAYAMDIPTA,
    ),
    "variability": Score(
        variability,
        ("confidence_std",),
        help="standard deviation of the probability of the label",
        paper=_SWAYAMDIPTA,
    ),
    "dual": Score(
        dual,
        ("dual",),
        help="(1 − mean) · std of the probability of the label in a window; needs also=['dual']",
        paper="Cho et al., ICML 2025",
    ),
    "dyn_unc": Score(
        dyn_unc,
        ("dyn_unc",),
        help="std of the probability of the label in a window; needs also=['dyn_unc']",
        paper="He et al., CVPR 2024",
    ),
    "tdds": Score(
        tdds,
        ("tdds",),
        help="variance of the change of the prediction in a window; needs also=['tdds']",
        paper="Zhang et al., CVPR 2024",
    ),
    "cross_fitted_margin": Score(
        cross_fitted_margin,
        ("cross_fitted_margin",),
        help="minus the margin by models that did not train on the example",
    ),
    "cross_fitted_confidence": Score(
        cross_fitted_confidence,
        ("cross_fitted_confidence",),
        help="minus the probability of the label by models that did not train on the example",
    ),
    "cross_fitted_el2n": Score(
        cross_fitted_el2n,
        ("cross_fitted_el2n",),
        help="norm of softmax(logits) − onehot by models that did not train on the example",
    ),
    "loss": Score(loss, ("loss_mean",), help="mean cross-entropy"),
    "margin": Score(margin, ("margin_last",), help="minus the margin at the last presentation"),
    "mislabel": Score(
        mislabel,
        ("label_margin",),
        help="how well the label fits, by others' labels; low = likely wrong; needs a column "
        "'label_margin'",
    ),
    "random": Score(
        random, ("example_id",), help="drawn from the seed and the id, whatever the order of rows"
    ),
    "grand": Score(
        _grand,
        ("grand",),
        help="norm of the example's own loss gradient; needs a column 'grand'",
        paper=_PAUL,
    ),
}
"""All scores. To add one, write its function in ``dynamics.py`` and its entry here."""


def score(table: Any, by: By, *, seed: int = 0) -> np.ndarray:
    """The score of every row of an example table. High = hard = keep.

    Args:
        table: an example table (``curate.Recorder.table``, ``curate.read``, ``curate.merge``), of
            ``pyarrow`` or anything with ``__arrow_c_stream__`` (pandas, Polars …).
        by: the name of a score (``curate.scores.SCORES``) or of a numeric column, such as
            ``"influence"``; a score goes before a column of the same name. Or an array of shape
            (rows,) in the order of the table (NumPy, torch, Arrow or a list), or a function
            ``table -> array``. Columns and arrays are taken as they are: high = keep.
        seed: draws the score ``"random"``; the others do not depend on it.

    Returns:
        float64 of shape (rows,), a new array; NaN where the score is not known: never presented,
        no presentation had finite logits, or null or NaN in a column or array.

    Raises:
        CurateError: a name that is neither a score nor a column, a table that lacks the score's
            column, or values that are not one number per row.
    """
    table = as_table(table)
    by = registered_name(by)
    if isinstance(by, str):
        check_by(by, table.column_names)
        if by == "random":
            return random(table, seed=seed)
        return SCORES[by].function(table) if by in SCORES else floats(table, by)
    if callable(by):
        return _numbers(by(table), len(table), f"by: what {name_of(by)} returned")
    return _numbers(by, len(table), "by: the array")


def registered_name(by: By) -> By:
    """The name where ``by`` is the function of a registered score; else ``by`` as it is."""
    for name, entry in SCORES.items():
        if by is entry.function:
            return name
    return by


def name_of(by: By) -> str:
    """What a selection is stored under: the name, a function's qualified name, or "array"."""
    if isinstance(by, str):
        return by
    if callable(by):
        named = by if hasattr(by, "__qualname__") else type(by)
        return f"{named.__module__}.{named.__qualname__}"
    return "array"


def columns_of(by: By, available: Iterable[str]) -> tuple[str, ...]:
    """The columns that :func:`score` reads, of those available: all of them for a function."""
    if callable(by):
        return tuple(available)
    if not isinstance(by, str):
        return ()
    if by not in SCORES:
        return (by,)
    optional = [name for name in SCORES[by].columns_if_merged if name in available]
    return (*SCORES[by].columns, *optional)


def check_by(by: By, available: Iterable[str]) -> None:
    """Raise a CurateError where ``by`` is a name, but neither of a score nor of a column."""
    if isinstance(by, str) and by not in SCORES and by not in available:
        raise CurateError(
            f"by: {by!r} is no score and no column of the table; choose one of "
            f"{', '.join(SCORES)}, or a column of numbers among {list(available)}"
        )


def _numbers(values: Any, rows: int, where: str) -> np.ndarray:
    """The values as a new float64 array of shape (rows,), with NaN for null.

    Raises:
        CurateError: values of another shape, or that are no numbers.
    """
    if isinstance(values, torch.Tensor):
        try:
            values = values.detach().cpu()
            if values.is_floating_point():
                values = values.double()  # NumPy has no bfloat16
            values = values.numpy()
        except (TypeError, RuntimeError, NotImplementedError):
            raise _no_numbers(where, f"a tensor of {values.layout} {values.dtype}") from None
    elif isinstance(values, list | tuple):  # Arrow reads None as null
        try:
            values = pa.array(values)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            values = np.array(None)
    elif isinstance(values, np.ma.MaskedArray):
        values = pa.array(values.data, mask=np.ma.getmaskarray(values))
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return _numbers_of_arrow(values, rows, where)
    values = np.asarray(values)
    if values.dtype.kind not in "iuf" or values.ndim == 0:
        kind = f"type {values.dtype}" if values.ndim else "a kind that is no array"
        raise _no_numbers(where, kind)
    if values.shape != (rows,):
        raise _wrong_shape(where, values.shape, rows)
    return values.astype(np.float64)


def _numbers_of_arrow(values: pa.Array | pa.ChunkedArray, rows: int, where: str) -> np.ndarray:
    kinds = pa.types.is_integer, pa.types.is_floating, pa.types.is_null
    if not any(is_kind(values.type) for is_kind in kinds):
        raise _no_numbers(where, f"type {values.type}")
    if len(values) != rows:
        raise _wrong_shape(where, (len(values),), rows)
    return floats(pa.table({"values": values}), "values")


def _no_numbers(where: str, kind: str) -> CurateError:
    return CurateError(
        f"{where} holds values of {kind}; give a score's name, a column's name, an array with one "
        "number per row, or a function table -> array"
    )


def _wrong_shape(where: str, shape: tuple[int, ...], rows: int) -> CurateError:
    return CurateError(
        f"{where} has the shape {shape} for a table of {rows:,} rows; give one number per row, in "
        "the order of the table"
    )
