"""Alarms that come before the figures are believed, and what was not looked at."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from curate.bias.identification.null_control import NullControl
from curate.bias.identification.result import Caution
from curate.bias.overlap.result import Overlap
from curate.bias.sources.source import Source
from curate.stats.exact import clopper_pearson

_LIKELY = 0.95
"""p-value from which on an accuracy is suspiciously low."""

_OUTLINES = (
    "The features 'hog' see outlines: colour and tone were not looked at by the classifier. Give "
    "'hog+colour' to look at both."
)
_LINEAR = (
    "A linear classifier sees differences of means: of spread and of correlation between features "
    "it sees nothing."
)


def shared_examples(overlap: Overlap) -> list[Caution]:
    """A warning for every two sources that share examples."""
    cautions = []
    seen: set[frozenset[str]] = set()
    rows = sorted(
        overlap.counts.to_pylist(), key=lambda row: -(row["equal"] + row["near"]) / row["examples"]
    )
    for row in rows:
        both = frozenset((row["source"], row["other"]))
        if both not in seen:
            seen.add(both)
            text = overlap.sentence(row) + (
                " They were kept on one side of every split; leave them out of one of the sources "
                "before you mix or test."
            )
            cautions.append(Caution("shared examples", (row["source"], row["other"]), text))
    return cautions


def upside_down(
    names: Sequence[str], right: int, tested: int, p_value: float, overlap: Overlap
) -> list[Caution]:
    """A warning where the sources are told apart less often than by chance."""
    chance = 1 / len(names)
    if p_value < _LIKELY and clopper_pearson(right, tested)[1] >= chance:
        return []
    found = (
        "those that were found are on one side, so there may be more"
        if len(overlap.counts)
        else "none was found; look for series, crops or frames of one film"
    )
    return [
        Caution(
            "near copies in both sources",
            tuple(names),
            f"The sources are named right less often than chance would ({right / tested:.1%} of "
            f"{tested:,}, chance {chance:.1%}, p = {p_value:.2g}). Near copies in both sources "
            f"bring that about: {found}. One fair game of twenty comes out like this, too.",
        )
    ]


def too_few(
    sources: Sequence[Source],
    marks: Sequence[np.ndarray],
    trained: int,
    tested: int,
    train_size: int,
    test_size: int,
    folds: int,
) -> list[Caution]:
    """A warning where less was drawn than asked for, with the reason."""
    if trained >= train_size and tested >= test_size:
        return []
    different = [len(np.unique(own)) for own in marks]
    wanted = train_size + test_size
    small = [source.name for source, own in zip(sources, different, strict=True) if own < wanted]
    gave = f"every source gave {trained:,} to train on and {tested:,} to be tested."
    fewest = int(np.argmin(different))
    if small:
        others = len(small) - 1
        more = "one more source" if others == 1 else f"{others} more sources"
        also = f" (as {'has' if others == 1 else 'have'} {more})" if others else ""
        unlike = "" if different[fewest] == len(sources[fewest]) else " different"
        text = (
            f"{sources[fewest].name} has {different[fewest]:,}{unlike} examples, fewer than the "
            f"{train_size:,} + {test_size:,} asked for{also}, so {gave}"
        )
    elif tested < test_size:
        small = [source.name for source in sources]
        text = (
            "Of examples that several sources share each was tested under one name only, so " + gave
        )
    else:
        small = [source.name for source in sources]
        text = (
            f"With folds={folds}, 1 / {folds} of every source is held out for the test, so {gave} "
            "Give more folds to train on more."
        )
    return [Caution("few examples", tuple(small), text)]


def null_alarms(null: NullControl | None) -> list[Caution]:
    """A warning for sources whose random halves were told apart."""
    if null is None or not null.alarms:
        return []
    return [
        Caution(
            "null control",
            null.alarms,
            f"Random halves of {', '.join(null.alarms)} did not come out at chance, though nothing "
            "parts them: look for near copies or an order in the data before the figures are "
            "believed.",
        )
    ]


def notes(
    sources: Sequence[Source], features: Any, classifier: str | Callable[..., Any]
) -> tuple[str, ...]:
    """What this classifier cannot see."""
    found = []
    if classifier == "linear":
        found.append(_LINEAR)
    if features == "hog" and classifier != "network" and all(s.has_images for s in sources):
        found.insert(0, _OUTLINES)
    return (*found, *left_out_notes(sources))


def left_out_notes(sources: Sequence[Source]) -> list[str]:
    """One sentence for each source that is not taken whole: how many, why, and which first."""
    said = []
    for source in sources:
        if not source.left_out:
            continue
        counts = Counter(source.left_out.values())
        reasons = "; ".join(f"{count:,} {reason}" for reason, count in counts.most_common(4))
        more = f"; {len(counts) - 4:,} more reasons" if len(counts) > 4 else ""
        first = ", ".join(repr(name) for name in list(source.left_out)[:3])
        said.append(
            f"Of {source.name!r}, {len(source.left_out):,} left out: {first}"
            f"{' …' if len(source.left_out) > 3 else ''} ({reasons}{more})."
        )
    return said
