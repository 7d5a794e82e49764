"""Every strategy by its name, with its options and the words that a selection says of it."""

import json
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Literal, NamedTuple

import numpy as np

from curate.errors import CurateError
from curate.pruning.counts import exact_fraction
from curate.pruning.strategies import beta, ccs, easiest, hardest, moderate, random, window


class Option(NamedTuple):
    """An option of a strategy: its default, and its line in the command's help."""

    default: float
    help: str


class Strategy(NamedTuple):
    """A strategy, what it says of the examples, its options, and its row in the docs."""

    function: Callable[..., np.ndarray]
    kept: str
    removed: str
    options: Mapping[str, Option] = {}
    cut: str | None = None  # the option that is a fraction cut from the hard end first
    help: str = ""
    paper: str = ""
    columns: tuple[str, ...] = ()  # of the table, which the function takes by their names
    ranks: bool = False  # only the order of the scores matters, not how far apart they are


StrategyName = Literal["hardest", "easiest", "random", "window", "moderate", "ccs", "beta"]
"""The names in ``STRATEGIES``, for editors and type checkers."""

STRATEGIES: dict[str, Strategy] = {
    "hardest": Strategy(
        hardest,
        "kept: among the hardest",
        "removed: among the easiest",
        help="the highest scores",
        paper="Toneva et al., ICLR 2019",
        ranks=True,
    ),
    "easiest": Strategy(
        easiest,
        "kept: among the easiest",
        "removed: among the hardest",
        help="the lowest scores: for little data, or noisy labels",
        paper="Sorscher et al., NeurIPS 2022",
        ranks=True,
    ),
    "random": Strategy(
        random,
        "kept: drawn at random",
        "removed: not drawn",
        help="a random sample: the baseline that a score must beat",
    ),
    "window": Strategy(
        window,
        "kept: in the window",
        "removed: easier than the window",
        {"drop_hardest": Option(0.1, "fraction of the hardest to drop first")},
        "drop_hardest",
        help="the hardest below the very hardest, often mislabelled",
        paper="Swayamdipta et al., EMNLP 2020; Paul et al., NeurIPS 2021; Choi et al., ICML 2024",
        ranks=True,
    ),
    "moderate": Strategy(
        moderate,
        "kept: near the median",
        "removed: far from the median",
        help="what is nearest to the median score",
        paper="Xia et al., ICLR 2023",
    ),
    "ccs": Strategy(
        ccs,
        "kept: drawn from its stratum",
        "removed: not drawn from its stratum",
        {
            "hard_cutoff": Option(0.1, "fraction of the hardest to drop first"),
            "strata": Option(50, "number of strata"),
        },
        "hard_cutoff",
        help="the whole range of scores: prunes the hardest, cuts the rest in strata of equal "
        "width, shares the budget from the smallest stratum up",
        paper="Zheng et al., ICLR 2023",
    ),
    "beta": Strategy(
        beta,
        "kept: drawn by score and confidence",
        "removed: not drawn by score and confidence",
        {"beta_c": Option(4.0, "how slowly the draw turns to easy examples as less is kept")},
        columns=("confidence_mean",),
        help="drawn in proportion to the score and a Beta density of the mean probability of the "
        "label: the less is kept, the easier",
        paper="Cho et al., ICML 2025",
    ),
}
"""All strategies. To add one, write its function in ``strategies.py`` and its entry here."""

_RESERVED = ("by", "total", "table_checksum", "kept_checksum")  # keys of a selection's policy


def find_strategy(
    strategy: str | Callable[..., Any], options: Mapping[str, Any]
) -> tuple[str, Strategy, dict[str, Any]]:
    """The strategy's name, its entry, and its options, checked and filled up with the defaults.

    A function that is not registered goes by its qualified name and takes any options.

    Raises:
        CurateError: an unknown strategy, an option that it does not take, a bad fraction, or, for
            a function, an option that is no JSON value.
    """
    name = next((key for key in STRATEGIES if STRATEGIES[key].function is strategy), strategy)
    if callable(name):
        return _wrap(name, options)
    if not isinstance(name, str) or name not in STRATEGIES:
        raise CurateError(
            f"strategy: {name!r} is no strategy; choose one of {', '.join(STRATEGIES)}, or give a "
            "function (scores, keep, ties) -> bool mask"
        )
    entry = STRATEGIES[name]
    for option in options:
        if option not in entry.options:
            takes = ", ".join(entry.options) or "no options"
            raise CurateError(f"{option}: the strategy {name!r} does not take it; it takes {takes}")
    filled = {**{key: option.default for key, option in entry.options.items()}, **options}
    if entry.cut is not None:
        filled[entry.cut] = _fraction_below_one(entry.cut, filled[entry.cut])
    return name, entry, filled


def _wrap(
    function: Callable[..., Any], options: Mapping[str, Any]
) -> tuple[str, Strategy, dict[str, Any]]:
    named = function if hasattr(function, "__qualname__") else type(function)
    name = f"{named.__module__}.{named.__qualname__}"
    for option, value in options.items():
        if option in _RESERVED:
            raise CurateError(f"{option}: a selection's policy has this key; rename the option")
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            raise CurateError(
                f"{option}: {value!r} is no JSON value, which a selection's policy needs; bind it "
                "with functools.partial"
            ) from None

    def checked(scores: np.ndarray, keep: int, ties: Any, **given: Any) -> np.ndarray:
        mask = np.asarray(function(scores.copy(), keep, ties, **given))
        if mask.dtype != bool or mask.shape != scores.shape:
            raise CurateError(
                f"strategy: {name} returned {mask.dtype} of shape {mask.shape}; return bool of "
                f"shape {scores.shape}, True for the rows to keep"
            )
        kept = int(np.count_nonzero(mask))
        if kept != keep:
            raise CurateError(
                f"strategy: {name} keeps {kept:,} of {len(mask):,} rows; return a mask that keeps "
                f"exactly {keep:,}"
            )
        return mask

    words = f"kept: by {name}", f"removed: by {name}"
    return name, Strategy(checked, *words), dict(options)


def _fraction_below_one(name: str, value: object) -> Fraction:
    share = exact_fraction(name, value)
    if not 0 <= share < 1:
        raise CurateError(f"{name}: {value!r} is not in [0, 1); give a fraction such as 0.1")
    return share
