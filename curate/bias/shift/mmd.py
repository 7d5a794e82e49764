"""The maximum mean discrepancy of two sets under a Gaussian kernel."""

from typing import Any

import numpy as np

from curate.bias.shift.pair import pair_of
from curate.bias.shift.power import LEVEL, smallest
from curate.bias.shift.random_features import Groups, summed
from curate.bias.shift.result import Power, TwoSample
from curate.errors import CurateError
from curate.features.pair import Pair
from curate.stats.seeds import generator

_QUADRATIC = 3000  # examples of both sets: up to here every pair is looked at
_FREQUENCIES = 512
_FOR_BANDWIDTH = 1000  # examples whose distances give it
_SIMULATED = 200


def mmd(x: Any, y: Any, *, permutations: int = 999, seed: int = 0) -> TwoSample:
    """Test whether x and y have one distribution by the kernel mean of each (Gretton et al., 2012).

    The kernel is exp(-|x - y|² / 2σ²), σ the median distance between 1,000 examples drawn from
    both sets. Up to 3,000 examples the statistic is the unbiased quadratic one and its p-value
    that of random relabellings. Beyond, both come from 512 random Fourier frequencies, that is
    from a kernel close to the Gaussian one (Rahimi & Recht, 2007; Zhao & Meng, 2015), in time
    linear in n + m: features are summed over about 1,000 groups of random examples, and groups
    are relabelled, which is exact as well. Memory does not grow with n but for some 30 bytes an
    example.

    Args:
        x: finite numbers of shape (n, d): an array (also mapped from a file), a tensor or a
            :class:`curate.bias.Source` of features; the examples are independent.
        y: the same of shape (m, d).
        permutations: random relabellings; the p-value is at least 1 / (permutations + 1).
        seed: of bandwidth, frequencies and relabellings.

    Returns:
        ``statistic`` is the unbiased estimate of the squared discrepancy; it can be negative.

    Raises:
        CurateError: other shapes or types, fewer than two examples, values that are not finite.
    """
    check_permutations(permutations)
    pair = pair_of(x, y)
    rng = generator(seed)
    bandwidth = _median_distance(pair.sample(rng, _FOR_BANDWIDTH))
    groups = summed(pair, bandwidth, _FREQUENCIES, rng)
    if pair.n + pair.m <= _QUADRATIC:
        found, null = _quadratic(pair, bandwidth, permutations, rng)
        method = "quadratic"
    else:
        found = float(groups.mmd(groups.sums[: groups.a].sum(0), groups.sums[groups.a :].sum(0)))
        null = groups.mmd(*groups.splits(rng, permutations))
        method = f"{_FREQUENCIES} random Fourier frequencies, {groups.a + groups.b} groups of "
        method += f"{groups.size:,} examples"
    # a relabelling that is the same split must not fall below by rounding
    as_large = int((null >= found - 1e-12 - 1e-7 * abs(found)).sum())
    return TwoSample(
        test="mmd",
        statistic=found,
        p_value=(1 + as_large) / (1 + permutations),
        n=pair.n,
        m=pair.m,
        method=f"{method}; bandwidth {bandwidth * pair.scale:.4g}; {permutations} relabellings",
        power=_power(pair, groups, float(np.quantile(null, 1 - LEVEL)), rng),
    )


def check_permutations(permutations: int) -> None:
    """Refuse what cannot give a p-value below 5 %."""
    if isinstance(permutations, bool) or not isinstance(permutations, int) or permutations < 19:
        raise CurateError(f"permutations: {permutations!r}; give an integer of at least 19")


def _median_distance(rows: np.ndarray) -> float:
    from scipy.spatial.distance import pdist

    distances = pdist(rows.astype(np.float64))
    distances = distances[distances > 0]  # of copies, which would hide the scale
    return float(np.median(distances)) if len(distances) else 1.0


def _quadratic(
    pair: Pair, bandwidth: float, permutations: int, rng: np.random.Generator
) -> tuple[float, np.ndarray]:
    """The unbiased statistic over all pairs, and that of random relabellings."""
    from scipy.spatial.distance import pdist, squareform

    n, m = pair.n, pair.m
    rows = pair.take(np.arange(n + m)).astype(np.float64)
    kernel = squareform(np.exp(pdist(rows, "sqeuclidean") / (-2 * bandwidth**2)))  # diagonal of 0
    labels = np.zeros((permutations + 1, n + m))
    labels[:, :n] = 1
    labels[1:] = rng.permuted(labels[1:], axis=1)
    to_x = labels @ kernel
    within_x = (labels * to_x).sum(1)
    between = to_x.sum(1) - within_x
    within_y = kernel.sum() - within_x - 2 * between
    statistics = within_x / (n * (n - 1)) + within_y / (m * (m - 1)) - 2 * between / (n * m)
    return float(statistics[0]), statistics[1:]


def _power(pair: Pair, groups: Groups, threshold: float, rng: np.random.Generator) -> Power:
    """Random splits of all examples, one part shifted along a random direction."""
    direction = rng.standard_normal(pair.d)
    direction /= np.linalg.norm(direction)
    sample = pair.sample(rng, _FOR_BANDWIDTH) @ direction
    deviation = float(sample.std())
    of = "shift of the mean along a random direction, in standard deviations"
    if deviation < 1e-6:
        return Power(float("inf"), of, "the examples do not vary along it")
    shifted = groups.shifted_mmd(*groups.splits(rng, _SIMULATED))

    def power(shift: float) -> float:
        return float((shifted(shift * deviation * direction) > threshold).mean())

    basis = f"simulation: {_SIMULATED} random splits of all examples, one part shifted"
    return Power(smallest(power, 1e-5, 10), of, basis)
