"""Whose label is likely wrong? Evidence from features, without clean labels."""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from curate.errors import CurateError
from curate.table import annotate, describe
from curate.table._hash_ids import hash_ids

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

_STRENGTHS = (0.003, 0.03)  # inverse regularisation of the linear models that are tried
_NEIGHBOURS = 20
_PLAUSIBLE = 0.7  # see injected labels in docs/label_noise.md
_DECOMPOSED = 2048  # rows or columns at most, of which all directions are found
_LEADING = 256  # directions that are found of more
_STEPS = 30  # towards what a model makes of another label
_LEAST = 0.5  # a vote that no neighbour cast, so that its logarithm is finite


def label_noise_table(features: Any, labels: Any, *, ids: Any = None, seed: int = 0) -> pa.Table:
    """How well each label fits its example, by what the others say and by what is left of it.

    Two views give log probabilities of the classes without the example's own label: a linear model
    of all other examples, and the labels of the 20 nearest neighbours (cosine). They are added with
    the two weights under which they predict the *given* labels best, so nothing is fitted to clean
    ones. Beside them stands a linear model of all examples: a label that contradicts it although
    it was trained on it is more doubtful than one that it had room for. The mean of the label's
    margins in both is what ``score(table, "mislabel")`` reads.

    Nothing is trained twice: what the linear model would say without an example, or with another
    label of it, follows from its leverage, the losses of all others taken as quadratic (approximate
    leave-one-out: Rad & Maleki, JRSS B 2020).

    To estimate how precise a list of suspects is, :func:`suspects` needs to know how wrong
    labels look. For each example a wrong label is drawn, between uniformly and as the models
    confuse it (by their probability to the power of 0.7), and the margin that it would have had is
    kept; only for examples whose own label fits, since a wrong one's best alternative is right.

    Args:
        features: (n, d) numbers, of :func:`curate.features.extract` or any network.
        labels: (n,) class indices, two classes at least, each with two examples or more.
        ids: (n,) unique ids; 0..n-1 where None.
        seed: draws the wrong labels, by a hash of the ids.

    Returns:
        One row per example: ``example_id``, ``label``, and float64 ``label_margin`` and
        ``injected_margin`` (null where none was drawn), both log odds.

    Raises:
        CurateError: shapes that do not fit, features that are not finite, too few examples.
    """
    values, classes, codes = _checked(features, labels)
    example_id = pa.array(np.arange(len(codes)) if ids is None else ids)
    if len(example_id) != len(codes):
        raise CurateError(f"ids: {len(example_id)} for {len(codes)} labels; give one id per label")
    spectrum = _spectrum(values)
    fitted, leverage, others = max(
        (_linear_views(values, spectrum, codes, strength) for strength in _STRENGTHS),
        key=lambda views: views[2][np.arange(len(codes)), codes].mean(),
    )
    both = _as_they_predict_best(others, _votes(values, codes, len(classes)), codes)
    margins = (_margins(both, codes) + _margins(fitted, codes)) / 2
    wrong, is_drawn = _wrong_labels(both, codes, hash_ids(example_id, seed=seed, purpose="random"))
    relabelled = _relabelled(fitted, leverage, codes, wrong)
    injected = (_margins(both, wrong) + _margins(relabelled, wrong)) / 2
    table = pa.table(
        {
            "example_id": example_id,
            "label": pa.array(classes[codes].astype(np.int64)),
            "label_margin": margins,
            "injected_margin": pa.array(injected, mask=~is_drawn),
        }
    )
    return annotate(describe(table), label_noise={"seed": seed})


def _checked(features: Any, labels: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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
    classes, codes, sizes = np.unique(given, return_inverse=True, return_counts=True)
    if len(classes) < 2 or sizes.min() < 2:
        raise CurateError(
            f"labels: {len(classes)} classes, the smallest of {sizes.min() if len(sizes) else 0}; "
            "give two classes of 2 examples or more"
        )
    values = values.astype(np.float32)
    spread = values.std(0)
    return (values - values.mean(0)) / np.where(spread > 0, spread, 1), classes, codes


def _linear(values: np.ndarray, codes: np.ndarray, strength: float) -> "LogisticRegression":
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():  # as good as it gets in so many steps is good enough
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=strength, max_iter=100).fit(values, codes)


def _spectrum(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums of squares along orthogonal directions, (k,), and what each row has of them, (n, k).

    Where rows and columns are many, the leading directions, and all others as one of their mean.
    """
    from sklearn.utils.extmath import randomized_svd

    fewest = min(values.shape)
    if fewest <= _DECOMPOSED:
        wide = values.shape[0] < values.shape[1]
        spreads, vectors = np.linalg.eigh(values @ values.T if wide else values.T @ values)
        spreads = spreads.clip(0)
        return spreads, vectors**2 * spreads if wide else (values @ vectors) ** 2
    left, sizes, _ = randomized_svd(values, _LEADING, n_iter=3, random_state=0)
    energies = (left * sizes) ** 2
    rest = (np.square(values).sum(1) - energies.sum(1)).clip(0)
    spreads = np.append(sizes**2, rest.sum() / (fewest - _LEADING))
    return spreads, np.column_stack([energies, rest])


def _linear_views(
    values: np.ndarray, spectrum: tuple[np.ndarray, np.ndarray], codes: np.ndarray, strength: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n, classes) each: log probabilities, leverage, and log probabilities without the row.

    The leverage is what a class's logit gains for each unit of slope that the row's own loss has:
    x' H⁻¹ x, with H the Hessian of the class by all other rows. It takes the curvature of the loss
    for the same in all rows, their mean weighted by squared lengths, so that one decomposition
    serves all classes.
    """
    from scipy.special import log_softmax

    fitted = _linear(values, codes, strength).predict_log_proba(values)
    spreads, energies = spectrum
    curvatures = np.exp(fitted) * -np.expm1(fitted)
    lengths = energies.sum(1)
    means = lengths @ curvatures / max(lengths.sum(), 1e-12)
    leverage = energies @ (1 / (np.outer(spreads, means) + 1 / strength))
    leverage /= 1 - means * leverage  # Sherman and Morrison: without the row itself
    if len(means) == 2:  # they share a vector of weights
        leverage /= 2
    return fitted, leverage, log_softmax(_without(fitted, leverage, codes), axis=1)


def _without(log_probabilities: np.ndarray, leverage: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """(n, classes) logits of each row by the model of all others."""
    label = np.eye(log_probabilities.shape[1])[codes]
    found: np.ndarray = log_probabilities - leverage * (label - np.exp(log_probabilities))
    return found


def _relabelled(
    log_probabilities: np.ndarray, leverage: np.ndarray, codes: np.ndarray, wrong: np.ndarray
) -> np.ndarray:
    """(n, classes) logits of each row by the model that was trained with its wrong label.

    They are the logits z that exceed those without the row by leverage · (label - softmax(z)),
    found in steps that a bound on the curvature of softmax keeps from overshooting.
    """
    from scipy.special import softmax

    without = _without(log_probabilities, leverage, codes)
    label = np.eye(log_probabilities.shape[1])[wrong]
    found = log_probabilities.copy()
    for _ in range(_STEPS):
        gap = found - without - leverage * (label - softmax(found, axis=1))
        found -= gap / (1 + leverage / 2)
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


def _wrong_labels(
    log_probabilities: np.ndarray, codes: np.ndarray, lots: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) a wrong label each, and whether the own one fits, so that this one may count."""
    rng = np.random.default_rng(np.random.SeedSequence(int(lots.min())))
    order = np.argsort(lots, kind="stable")  # so that the order of the rows does not matter
    draws = np.empty((2, len(codes)))
    draws[:, order] = rng.random((2, len(codes)))
    law = np.exp(_PLAUSIBLE * log_probabilities)
    law[np.arange(len(codes)), codes] = 0
    up_to = law.cumsum(1)
    wrong = (up_to <= draws[0][:, None] * up_to[:, -1:]).sum(1)
    margins = _margins(log_probabilities, codes)
    fits = np.tanh(np.clip(margins, 0, None) / 2)  # 2 p - 1 of the odds p / (1 - p)
    return wrong, draws[1] < fits
