"""The nearest-neighbour test: do examples lie among their own kind?"""

from typing import Any

import numpy as np

from curate.bias.shift.mmd import check_permutations
from curate.bias.shift.pair import pair_of
from curate.bias.shift.power import DETECTED, LEVEL
from curate.bias.shift.result import Power, TwoSample
from curate.errors import CurateError
from curate.features.neighbours import nearest
from curate.stats.seeds import generator

_QUERIES = 50_000


def nearest_neighbour(
    x: Any, y: Any, *, neighbours: int = 5, permutations: int = 999, seed: int = 0
) -> TwoSample:
    """Test whether the nearest neighbours of an example are of its own set too often.

    Of all pairs of an example and one of its nearest neighbours among both sets, the share within
    one set (Schilling, 1986; Henze, 1988), against random relabellings of the examples. Up to
    20,000 different examples all distances are looked at. Beyond, approximate neighbours come from
    an index of cells (IVF) with 8 bits a number and at most 512 MiB of them, which holds random
    examples if not all; and beyond 50,000 examples, neighbours of a random 50,000 are looked up.
    Who is whose neighbour does not depend on labels, so that the p-value is exact however good
    the index is; only power may suffer. Copies of an example are neighbours like others, and ties
    between copies are broken at random.

    Args:
        x: finite numbers of shape (n, d): an array (also mapped from a file), a tensor or a
            :class:`curate.bias.Source` of features; the examples are independent.
        y: the same of shape (m, d).
        neighbours: how many of each example.
        permutations: random relabellings; the p-value is at least 1 / (permutations + 1).
        seed: of ties, queries and relabellings.

    Returns:
        ``statistic`` is the share of pairs within one set.

    Raises:
        CurateError: other shapes or types, fewer than two examples, values that are not finite.
    """
    check_permutations(permutations)
    if isinstance(neighbours, bool) or not isinstance(neighbours, int) or neighbours < 1:
        raise CurateError(f"neighbours: {neighbours!r}; give an integer of at least 1")
    pair = pair_of(x, y)
    n, m = pair.n, pair.m
    k = min(neighbours, n + m - 1)
    rng = generator(seed)
    found = nearest(pair, k, _QUERIES, rng)
    seen, ends = np.unique(np.concatenate([found.example, found.neighbour]), return_inverse=True)
    start, end = ends.reshape(2, -1)
    of_x = seen < n
    share = float((of_x[start] == of_x[end]).mean())
    null = np.empty(permutations)
    for turn in range(permutations):
        # labels of the examples that take part, when all are relabelled
        count = rng.hypergeometric(n, m, len(seen))
        labels = rng.permutation(np.arange(len(seen), dtype=np.int32) < count)
        null[turn] = (labels[start] == labels[end]).mean()
    expected = (n * (n - 1) + m * (m - 1)) / ((n + m) * (n + m - 1))
    critical = float(np.quantile(null, 1 - LEVEL))
    smallest = critical + DETECTED * float(null.std())
    return TwoSample(
        test="nearest_neighbour",
        statistic=share,
        p_value=(1 + int((null >= share - 1e-12).sum())) / (1 + permutations),
        n=n,
        m=m,
        method=f"{k} neighbours of {min(_QUERIES, n + m):,} examples, {found.method}; "
        f"{permutations} relabellings",
        power=Power(
            smallest if smallest <= 1 else float("inf"),
            f"share of neighbours within one set ({expected:.4g} is chance)",
            "theory: normal, with the spread of the relabellings",
        ),
    )
