"""Whose label is likely wrong? Out-of-sample evidence from features, without clean labels."""

import warnings
from typing import Any

import numpy as np
import pyarrow as pa

from curate.errors import CurateError
from curate.table import annotate, describe
from curate.table._hash_ids import hash_ids

_STRENGTHS = (0.003, 0.03)  # inverse regularisation of the linear models that are tried
_NEIGHBOURS = 20
_PLAUSIBLE = 0.7  # see injected labels in docs/label_noise.md
_LEAST = 0.5  # a vote that no neighbour cast, so that its logarithm is finite


def label_noise_table(
    features: Any,
    labels: Any,
    *,
    ids: Any = None,
    folds: int = 5,
    seeds: int = 2,
    seed: int = 0,
) -> pa.Table:
    """How well each label fits its example, by evidence that its own label has no part in.

    Two views give log probabilities of the classes: linear models that were trained on the other
    folds, and the labels of the 20 nearest neighbours (cosine). They are added with the two weights
    under which they predict the *given* labels best, so nothing is fitted to clean ones. The margin
    of the label in that sum is what ``score(table, "mislabel")`` reads.

    To estimate how precise a list of suspects is, :func:`suspects` needs to know how wrong
    labels look. For each example a wrong label is drawn, between uniformly and as the models
    confuse it (by their probability to the power of 0.7), and its margin is kept; only for examples
    whose own label fits, since a wrong one's best alternative is right. Nothing has to be trained
    again: no model saw the label of an example that it judges.

    Args:
        features: (n, d) numbers, of :func:`curate.features.extract` or any network.
        labels: (n,) class indices, two classes at least, each with as many examples as folds.
        ids: (n,) unique ids; 0..n-1 where None.
        folds: of the linear models, at least 2.
        seeds: how many times over, each with folds of its own; the mean of the log probabilities.
        seed: deals the folds, by a hash of the ids, and draws the wrong labels.

    Returns:
        One row per example: ``example_id``, ``label``, and float64 ``label_margin`` and
        ``injected_margin`` (null where none was drawn), both log odds.

    Raises:
        CurateError: shapes that do not fit, features that are not finite, too few examples.
    """
    values, classes, codes = _checked(features, labels, folds, seeds)
    example_id = pa.array(np.arange(len(codes)) if ids is None else ids)
    if len(example_id) != len(codes):
        raise CurateError(f"ids: {len(example_id)} for {len(codes)} labels; give one id per label")
    lots = hash_ids(example_id, seed=seed, purpose="random")
    linear = np.zeros((len(codes), len(classes)))
    for number in range(seeds):
        fold_of = np.empty(len(codes), np.int64)
        dealt = hash_ids(example_id, seed=seed + number, purpose="random")
        fold_of[np.lexsort((dealt, codes))] = np.arange(len(codes)) % folds
        linear += _out_of_fold(values, codes, fold_of, len(classes)) / seeds
    votes = _votes(values, codes, len(classes))
    both = _as_they_predict_best(linear, votes, codes)
    margins = _margins(both, codes)
    injected = _injected_margins(both, codes, margins, lots)
    table = pa.table(
        {
            "example_id": example_id,
            "label": pa.array(classes[codes].astype(np.int64)),
            "label_margin": margins,
            "injected_margin": pa.array(injected, mask=np.isnan(injected)),
        }
    )
    return annotate(describe(table), label_noise={"folds": folds, "seeds": seeds, "seed": seed})


def _checked(
    features: Any, labels: Any, folds: int, seeds: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values, given = np.asarray(features), np.asarray(labels)
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise CurateError(
            f"labels: {given.dtype} of shape {given.shape}; give (n,) whole class indices"
        )
    if values.ndim != 2 or len(values) != len(given) or values.dtype.kind not in "iuf":
        raise CurateError(
            f"features: {values.dtype} of shape {values.shape} for {len(given)} labels; give one "
            "row of numbers a label"
        )
    if not np.isfinite(values).all():
        raise CurateError("features: some are not finite; leave these examples out")
    for name, value, least in (("folds", folds, 2), ("seeds", seeds, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise CurateError(f"{name}: {value!r}; give a whole number, at least {least}")
    classes, codes, sizes = np.unique(given, return_inverse=True, return_counts=True)
    if len(classes) < 2 or sizes.min() < folds:
        raise CurateError(
            f"labels: {len(classes)} classes, the smallest of {sizes.min() if len(sizes) else 0}; "
            f"give two classes of {folds} examples or more"
        )
    values = values.astype(np.float32)
    spread = values.std(0)
    return (values - values.mean(0)) / np.where(spread > 0, spread, 1), classes, codes


def _out_of_fold(
    values: np.ndarray, codes: np.ndarray, fold_of: np.ndarray, classes: int
) -> np.ndarray:
    """(n, classes) log probabilities by linear models that were not trained on the row."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    def predicted(strength: float, fold: int) -> np.ndarray:
        apart = fold_of == fold
        model = LogisticRegression(C=strength, max_iter=100)
        with warnings.catch_warnings():  # as good as it gets in so many steps is good enough
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(values[~apart], codes[~apart])
        found: np.ndarray = model.predict_log_proba(values[apart])
        return found

    def likelihood(strength: float) -> float:
        first = codes[fold_of == 0]
        return float(predicted(strength, 0)[np.arange(len(first)), first].mean())

    best = max(_STRENGTHS, key=likelihood)
    found = np.empty((len(codes), classes))
    for fold in range(fold_of.max() + 1):
        found[fold_of == fold] = predicted(best, fold)
    return found


def _votes(values: np.ndarray, codes: np.ndarray, classes: int) -> np.ndarray:
    """(n, classes) log shares of the labels among the nearest others, by the cosine."""
    import faiss

    unit = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    index = faiss.IndexFlatIP(unit.shape[1])
    index.add(unit)
    k = min(_NEIGHBOURS, len(codes) - 1)
    near = index.search(unit, k + 1)[1]
    own = near == np.arange(len(codes))[:, None]
    own[~own.any(1), -1] = True  # it has more copies than neighbours were asked for
    near = near[~own].reshape(-1, k)
    counts = np.zeros((len(codes), classes))
    np.add.at(counts, (np.arange(len(codes))[:, None], codes[near]), 1.0)
    shares: np.ndarray = np.log((counts + _LEAST) / (k + _LEAST * classes))
    return shares


def _as_they_predict_best(first: np.ndarray, second: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Log probabilities: both views added with the weights of the greatest likelihood."""
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    rows = np.arange(len(codes))

    def loss(weights: np.ndarray) -> float:
        added = log_softmax(weights[0] * first + weights[1] * second, axis=1)
        return -float(added[rows, codes].mean())

    weights = minimize(loss, np.array([0.9, 0.2]), method="Nelder-Mead", bounds=[(0, 5)] * 2).x
    found: np.ndarray = log_softmax(weights[0] * first + weights[1] * second, axis=1)
    return found


def _margins(log_probabilities: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """(n,) that of the class over the largest other one."""
    rows, others = np.arange(len(codes)), log_probabilities.copy()
    others[rows, codes] = -np.inf
    found: np.ndarray = log_probabilities[rows, codes] - others.max(1)
    return found


def _injected_margins(
    log_probabilities: np.ndarray, codes: np.ndarray, margins: np.ndarray, lots: np.ndarray
) -> np.ndarray:
    """(n,) margins of wrong labels, NaN where the own one does not fit and so none was drawn."""
    rng = np.random.default_rng(np.random.SeedSequence(int(lots.min())))
    order = np.argsort(lots, kind="stable")  # so that the order of the rows does not matter
    draws = np.empty((2, len(codes)))
    draws[:, order] = rng.random((2, len(codes)))
    law = np.exp(_PLAUSIBLE * log_probabilities)
    law[np.arange(len(codes)), codes] = 0
    up_to = law.cumsum(1)
    wrong = (up_to <= draws[0][:, None] * up_to[:, -1:]).sum(1)
    fits = np.tanh(np.clip(margins, 0, None) / 2)  # 2 p - 1 of the odds p / (1 - p)
    return np.where(draws[1] < fits, _margins(log_probabilities, wrong), np.nan)
