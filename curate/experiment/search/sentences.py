"""What the search for the smallest set may say, and at which level it says so."""

from typing import TYPE_CHECKING

import numpy as np

from curate.experiment.comparison import points
from curate.experiment.search.certifying import BETTER_LEVEL, SizeResult
from curate.stats import look_level

if TYPE_CHECKING:
    from curate.experiment.search.result import SmallestSet


def sentences(result: "SmallestSet") -> list[str]:
    """The answer first; 'You need' stands over a certificate only."""
    nothing = f"Nothing smaller than all {result.examples:,} is shown to do."
    certified = result.certified
    if certified.obstacle is not None:
        return [nothing, f"Nothing is claimed: {certified.obstacle}."]
    if not certified.sizes:
        return [nothing, "Time ran out before a smaller set could be tested."]
    if result.smallest is None:
        return [f"{nothing} {_why_not(result)}", *_better_ones(result), _levels(result)]
    return [_need(result, result.smallest), _against_random(result.smallest), _levels(result)]


def _need(result: "SmallestSet", one: SizeResult) -> str:
    seeds = {run.seed for run in one.pruned}
    full = np.mean([run.accuracy for run in result.certified.everything if run.seed in seeds])
    pruned = np.mean([run.accuracy for run in one.pruned])
    random = np.mean([run.accuracy for run in one.random])
    score = f"{result.score} of a proxy" if result.proxy else result.score
    chosen = f"By {score}"
    if len(result.search):
        chosen = f"Chosen by {score} on held-out training examples"
    return (
        f"You need {one.size:,} of {result.examples:,} examples "
        f"({one.size / result.examples:.0%}): {pruned:.2%} against {full:.2%} on all (at worst "
        f"{points(-one.as_good.bound)} points for new test examples and new seeds, within the "
        f"margin of {100 * result.margin:g}); {one.size:,} at random: {random:.2%}. {chosen}, "
        f"certified on {len(result.labels):,} test examples with {len(seeds)} fresh seeds, equal "
        f"{result.protocol}."
    )


def _against_random(one: SizeResult) -> str:
    gain = f"{points(-one.better.loss)} points"
    if one.is_better:
        least = points(-one.better.bound)
        return f"It is better than as many random examples: {gain}, at least {least}."
    said = f"It is not shown to be better than as many random examples: {gain}."
    if one.random_certified:
        said += f" {one.size:,} random examples pass the same test, so any will do."
    return said


def _why_not(result: "SmallestSet") -> str:
    one = result.certified.sizes[0]
    if one.as_good.shown:
        return (
            f"The logits of {one.not_finite:,} answers of the models trained on {one.size:,} "
            "examples were NaN or infinite; lower the learning rate."
        )
    return (
        f"The largest smaller set tried, {one.size:,} examples by {result.score}: "
        f"{points(-one.as_good.loss)} points, at worst {points(-one.as_good.bound)}, is not "
        f"within {100 * result.margin:g}."
    )


def _better_ones(result: "SmallestSet") -> list[str]:
    return [
        f"{one.size:,} examples by {result.score} are better than as many random ones: "
        f"{points(-one.better.loss)} points, at least {points(-one.better.bound)}."
        for one in result.certified.sizes
        if one.is_better
    ]


def _levels(result: "SmallestSet") -> str:
    assert result.look is not None
    look, tried = result.look, len(result.certified.sizes)
    better = BETTER_LEVEL * look.level / look_level(1)
    planned = round(better / result.certified.sizes[0].better.level)
    again = "" if look.number == 1 else f", look {look.number} at this test set"
    return (
        f"'As good' is tested from the largest size down, each at {100 * look.level:.3g} % "
        f"one-sided{again}; 'better than random' at {100 * better:.3g} % one-sided over all "
        f"{'sizes' if tried == planned else f'{planned} sizes planned'}."
    )
