"""Every strategy by its name."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from curate.errors import CurateError
from curate.pruning._ccs import ccs
from curate.pruning.counts import exact_fraction
from curate.pruning.rankings import easiest, hardest, moderate, random, window


class Strategy(NamedTuple):
    """A strategy, what it says of the examples, and its options with their defaults."""

    function: Callable[..., np.ndarray]
    kept: str
    removed: str
    options: Mapping[str, float] = {}
    cut: str | None = None  # the option that is a fraction cut from the hard end first


STRATEGIES: dict[str, Strategy] = {
    "hardest": Strategy(hardest, "kept: among the hardest", "removed: among the easiest"),
    "easiest": Strategy(easiest, "kept: among the easiest", "removed: among the hardest"),
    "random": Strategy(random, "kept: drawn at random", "removed: not drawn"),
    "window": Strategy(
        window,
        "kept: in the window",
        "removed: easier than the window",
        {"drop_hardest": 0.1},
        "drop_hardest",
    ),
    "moderate": Strategy(moderate, "kept: near the median", "removed: far from the median"),
    "ccs": Strategy(
        ccs,
        "kept: drawn from its stratum",
        "removed: not drawn from its stratum",
        {"hard_cutoff": 0.1, "strata": 50},
        "hard_cutoff",
    ),
}
"""All strategies; to add one, write its file and name it here."""


def find_strategy(name: str, options: Mapping[str, Any]) -> tuple[Strategy, dict[str, Any]]:
    """The strategy, and its options checked and filled up with the defaults.

    Raises:
        CurateError: an unknown strategy, an option that it does not take, or a bad fraction.
    """
    if name not in STRATEGIES:
        raise CurateError(
            f"strategy: {name!r} is no strategy; choose one of {', '.join(STRATEGIES)}"
        )
    strategy = STRATEGIES[name]
    for option in options:
        if option not in strategy.options:
            takes = ", ".join(strategy.options) or "no options"
            raise CurateError(f"{option}: the strategy {name!r} does not take it; it takes {takes}")
    filled = {**strategy.options, **options}
    if strategy.cut is not None:
        filled[strategy.cut] = _fraction_below_one(strategy.cut, filled[strategy.cut])
    return strategy, filled


def _fraction_below_one(name: str, value: object) -> Fraction:
    share = exact_fraction(name, value)
    if not 0 <= share < 1:
        raise CurateError(f"{name}: {value!r} is not in [0, 1); give a fraction such as 0.1")
    return share
