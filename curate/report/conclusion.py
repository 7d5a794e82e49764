"""What a training report comes to, in two or three plain sentences."""

import numpy as np

from curate.report.charts.accuracy import Arm
from curate.report.outcomes import Outcomes
from curate.report.text import count, percent, plural


def conclusion(outcomes: Outcomes, kept: np.ndarray | None, arms: list[Arm], doubted: int) -> str:
    """What was kept, what it cost, and what to look at first; ``doubted`` labels are suspects."""
    total = len(outcomes.events)
    said = []
    if kept is not None:
        words = f"Of {count(total)} examples {count(kept.sum())} stay"
        means = {arm.name: arm.mean for arm in arms}
        if {"full", "pruned"} <= means.keys():
            words += f"; trained on them alone, models reach {percent(means['pruned'], digits=2)}"
            words += f", {_apart(means['pruned'] - means['full'])} all"
            if "random" in means:
                words += f" and {_apart(means['pruned'] - means['random'])} as many at random"
        said.append(f"{words}.")
    easy = int(outcomes.unforgettable.sum())
    if easy and kept is None:
        words = "was" if easy == 1 else "were"
        said.append(
            f"{plural(easy, 'example')} of {count(total)} ({percent(easy, total)}) {words} never "
            "forgotten: a smaller set can spare most of these."
        )
    never = int(outcomes.never_learned.sum())
    if never or doubted:
        found = [plural(never, "example") + " never learned"] if never else []
        found += [plural(doubted, "doubtful label")] if doubted else []
        said.append(f"Look first at {' and '.join(found)}: some are likely wrong.")
    return " ".join(said) or f"{plural(total, 'example')}, none of them remarkable."


def _apart(difference: float) -> str:
    """'0.40 points less than on', 'as much as on'."""
    points = round(100 * difference, 2)
    if not points:
        return "as much as on"
    return f"{abs(points):.2f} points {'more' if points > 0 else 'less'} than on"
