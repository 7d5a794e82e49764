"""One probability from all signals, learned on planted copies of the set's own images."""

from dataclasses import dataclass

import numpy as np

_CLEAR = 5.0  # log odds from which on real pairs are no longer taught as different
_FITS = 3
_KNOTS = (0.0, 0.25, 0.5, 0.75, 0.95)  # quantiles of the copies' signals, and of the others'
_PENALTY = 1e-3
_ROUNDS = 100
_AT_ONCE = 1 << 14


@dataclass(frozen=True, eq=False)
class Combination:
    """A sum of one rising, piecewise linear function of each signal: log odds.

    More alike by any signal never means less probable, and beyond the signals that were taught
    nothing rises further.

    Attributes:
        knots: float64 (m, t), rising, for each of m signals.
        slopes: float64 (m, t - 1), none negative.
        intercept: for equally many copies and others.
    """

    knots: np.ndarray
    slopes: np.ndarray
    intercept: float

    def log_odds(self, signals: np.ndarray) -> np.ndarray:
        """Log likelihood ratio of copies against others, float64 (...,); -inf where NaN."""
        flat = signals.reshape(-1, signals.shape[-1])
        found = np.full(len(flat), -np.inf)
        known = np.flatnonzero(np.isfinite(flat).all(1))
        for start in range(0, len(known), _AT_ONCE):
            rows = known[start : start + _AT_ONCE]
            found[rows] = _segments(flat[rows], self.knots) @ self.slopes.ravel() + self.intercept
        return found.reshape(signals.shape[:-1])


def learn(copies: np.ndarray, others: np.ndarray) -> Combination:
    """Fit to signals of planted copies (p, m) and of real pairs (o, m), most of them no copies.

    A few copies among the real pairs bound the odds by one over their share. So pairs of odds
    above 150 to 1 are left out of the next fit: chance brings hardly any other there.
    """
    fitted = _fit(copies, others)
    for _ in range(_FITS - 1):
        clear = fitted.log_odds(others) > _CLEAR
        if clear.all() or not clear.any():
            break
        fitted = _fit(copies, others[~clear])
    return fitted


def _fit(copies: np.ndarray, others: np.ndarray) -> Combination:
    """Logistic regression with slopes of zero or more, both classes weighing the same."""
    from scipy.optimize import minimize

    knots = np.concatenate([np.quantile(each, _KNOTS, axis=0) for each in (copies, others)])
    top = np.concatenate([copies, others]).max(0, keepdims=True)
    knots = np.sort(np.concatenate([knots, top]), axis=0).T.astype(np.float64)
    terms = np.concatenate([_segments(each, knots) for each in (copies, others)])
    scale = terms.std(0) + 1e-6
    terms = np.concatenate([terms / scale, np.ones((len(terms), 1))], 1)
    is_copy = np.repeat([1.0, 0.0], [len(copies), len(others)])
    weights = np.repeat([0.5 / len(copies), 0.5 / len(others)], [len(copies), len(others)])
    penalty = np.full(terms.shape[1], _PENALTY / len(scale))
    penalty[-1] = 0

    def loss(coefficients: np.ndarray) -> tuple[float, np.ndarray]:
        odds = terms @ coefficients
        costs = np.logaddexp(0, odds) - is_copy * odds
        residuals = weights * (probabilities(odds, 0.5) - is_copy)
        value = weights @ costs + penalty @ coefficients**2
        return float(value), residuals @ terms + 2 * penalty * coefficients

    bounds = [(0, None)] * len(scale) + [(None, None)]
    start = np.zeros(terms.shape[1])
    found = minimize(loss, start, jac=True, bounds=bounds, options={"maxiter": 300}).x
    slopes = (found[:-1] / scale).reshape(knots.shape[0], -1)
    return Combination(knots, slopes, float(found[-1]))


def _segments(signals: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """How far each signal has come in each segment between its knots: float64 (r, m·(t - 1))."""
    lengths = np.diff(knots, axis=1)
    past = signals[:, :, None].astype(np.float64) - knots[None, :, :-1]
    return np.clip(past, 0, lengths).reshape(len(signals), lengths.size)


def prevalence(log_odds: np.ndarray) -> float:
    """The share of copies among pairs, by expectation maximisation (Saerens et al., 2002).

    Args:
        log_odds: of pairs that were not planted; -inf for none.

    Returns:
        Between half a pair and a fifth of all: a set where more are copies is none to learn from.
    """
    known = log_odds[np.isfinite(log_odds)]
    if not len(known):
        return 0.5
    least, most = min(0.2, 0.5 / len(known)), 0.2
    share = min(0.01, most)
    for _ in range(_ROUNDS):
        share = float(np.clip(probabilities(known, share).mean(), least, most))
    return share


def probabilities(log_odds: np.ndarray, share: float) -> np.ndarray:
    """Posterior probabilities of copies, if they are this share of the pairs."""
    from scipy.special import expit

    return np.asarray(expit(log_odds + np.log(share / (1 - share))))
