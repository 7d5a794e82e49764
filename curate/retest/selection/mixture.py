"""True selection frequencies as a mixture of betas, and accuracy as a function of them.

Engstrom et al. (2020), section 4.2. Votes are binomial in an image's true frequency s; s is a
mixture of beta distributions, of each set its own, fitted by maximum likelihood (EM). The accuracy
at s is a piecewise linear function that makes the accuracies by vote come out. Components are
Beta(a, M + 1 - a), a = 1..M: with fixed components the likelihood has one maximum.
"""

import numpy as np

from curate.retest.selection.votes import Votes

_COMPONENTS = 30
_GRID = 400
_KNOTS = 9
_SMOOTH = 1e-4  # of the images: what a kink of 1 in the accuracy costs
_STEPS = 400


def mixture_accuracy(original: Votes, new: Votes) -> np.ndarray:
    """Accuracy on the new set, had it the original's true frequencies: float64 (..., models)."""
    s = (np.arange(_GRID) + 0.5) / _GRID
    parts = _densities(s)
    wanted = fit_mixture(original) @ parts
    density = fit_mixture(new) @ parts
    seen = _binomial(new, s)  # (kinds, grid)
    joint = seen * density[..., None, :]
    posterior = joint / joint.sum(-1, keepdims=True)
    hats = _hats(s)
    design = posterior @ hats  # (..., kinds, knots): accuracy by vote = design @ accuracy at knots
    weight = new.images[..., None]
    bend = np.diff(np.eye(_KNOTS), 2, axis=0)
    total = new.images.sum(-1)[..., None, None]
    left = design.swapaxes(-1, -2) @ (weight * design) + _SMOOTH * total * (bend.T @ bend)
    left = left + 1e-9 * total * np.eye(_KNOTS)
    right = new.right @ design
    knots = np.clip(np.linalg.solve(left[..., None, :, :], right[..., None])[..., 0], 0, 1)
    at = wanted @ hats
    return (knots * at[..., None, :]).sum(-1) / at.sum(-1)[..., None]


def fit_mixture(votes: Votes) -> np.ndarray:
    """Weights of the components by EM: float64 (..., components), of sum 1."""
    from scipy.special import betaln

    a = np.arange(1, _COMPONENTS + 1)
    b = _COMPONENTS + 1 - a
    yes, no = votes.selected[:, None], (votes.shown - votes.selected)[:, None]
    # without the binomial coefficient, which is the same for all components
    logs = betaln(yes + a, no + b) - betaln(a, b)
    likelihood = np.exp(logs - logs.max(1, keepdims=True))
    share = votes.images / votes.images.sum(-1, keepdims=True)
    weights = np.full((*share.shape[:-1], _COMPONENTS), 1 / _COMPONENTS)
    for _ in range(_STEPS):
        mixed = weights @ likelihood.T
        weights = weights * ((share / mixed) @ likelihood)
    return weights / weights.sum(-1, keepdims=True)


def _densities(s: np.ndarray) -> np.ndarray:
    """Share of each component in each cell of the grid: (components, grid)."""
    from scipy.stats import beta

    a = np.arange(1, _COMPONENTS + 1)[:, None]
    density = beta.pdf(s, a, _COMPONENTS + 1 - a)
    return np.asarray(density / density.sum(1, keepdims=True))


def _binomial(votes: Votes, s: np.ndarray) -> np.ndarray:
    """Likelihood of every kind of vote at every frequency, up to a factor: (kinds, grid)."""
    yes, no = votes.selected[:, None], (votes.shown - votes.selected)[:, None]
    logs = yes * np.log(s) + no * np.log1p(-s)
    return np.asarray(np.exp(logs - logs.max(1, keepdims=True)))


def _hats(s: np.ndarray) -> np.ndarray:
    """Piecewise linear functions that are 1 at one knot and 0 at the others: (grid, knots)."""
    knots = np.linspace(0, 1, _KNOTS)
    return np.stack([np.interp(s, knots, row) for row in np.eye(_KNOTS)], axis=1)
