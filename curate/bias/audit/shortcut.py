"""Shortcuts: what tells sources apart without a look at what they show."""

from dataclasses import dataclass

import numpy as np

from curate.bias.audit.facts import Facts

CAUSES = (
    "file format",
    "JPEG quality",
    "chroma subsampling",
    "resolution",
    "aspect ratio",
    "grey or colour",
    "border",
    "resizing filter",
    "stored mode",
    "metadata",
    "writer",
    "tone",
    "uneven light",
    "colour balance",
    "levels",
    "grain or sharpness",
    "fixed place",
    "crop offset",
    "orientation",
)
"""Every cause that images may have, in the order in which they are reported."""

OF_NAMES = {"file names": "names", "labels": "labels"}
"""Causes beside the images, of ids that are text and of labels, and the answers that tell them."""

OF_HEADERS = ("file format", "chroma subsampling", "stored mode", "metadata", "writer")
"""Those that only the header of a file tells."""

_FIXES = {
    "file format": "Decode both and save them in one format.",
    "JPEG quality": "Decode both, make them smaller, and save them again at one quality.",
    "chroma subsampling": "Decode both and save them again with the same JPEG options.",
    "resolution": "Resize all to one size, smaller than either.",
    "aspect ratio": "Cut the central square of the original pictures instead of squeezing them.",
    "grey or colour": "Bring all to grey.",
    "border": "Trim the edges of all.",
    "resizing filter": "Resize all from the originals with one filter, or make all smaller.",
    "stored mode": "Convert all to RGB without transparency and save them again.",
    "metadata": "Decode both and save them again without metadata.",
    "writer": "Decode both and save them again with one program and one set of options.",
    "file names": "Give all names of one form; a classifier of pixels does not see them.",
    "labels": "Take as many of each class from both.",
    "tone": "Bring all to one brightness and contrast, or vary both at random in training.",
    "uneven light": "Divide all by their mean light at each place, or mirror and crop at random in "
    "training.",
    "colour balance": "Bring all to one white balance and saturation, or to grey.",
    "levels": "Save both with the same bit depth and levels; make both smaller first.",
    "grain or sharpness": "Make all smaller, or blur both alike.",
    "fixed place": "Cover or crop the place in all (a pixel, a mark, a date).",
    "crop offset": "Decode both, make them smaller, and save them again at one quality.",
    "orientation": "Turn all upright, or mirror and turn at random in training.",
}
_HEDGE = "Other scenes, or a clearer cause beside it, may look like this. "
_HEDGES = {
    "JPEG quality": "Other scenes, or a turn or a change of size that wiped such traces out in "
    "one, may look like this. "
}
_NAMED = 4  # sources in a sentence


@dataclass(frozen=True, repr=False)
class Shortcut:
    """One way in which the files of some sources differ.

    Attributes:
        cause: one of :data:`CAUSES`.
        sources: those that it gives away, the most told apart first.
        accuracy: of telling apart, by this alone, the two sources that it parts best (chance is
            one half).
        certain: False where scenes may look like this, too: the pixels alone cannot say.
        text: a sentence or two, with what to do.
    """

    cause: str
    sources: tuple[str, ...]
    accuracy: float
    certain: bool
    text: str

    def __repr__(self) -> str:
        sure = "certain" if self.certain else "not certain"
        return (
            f"Shortcut({self.cause!r}, sources: {len(self.sources)}, accuracy "
            f"{self.accuracy:.1%}, {sure})"
        )

    def __str__(self) -> str:
        return self.text


def shortcut(
    cause: str,
    pairs: list[tuple[int, int, float, bool]],
    names: list[str],
    facts: list[list[Facts] | None],
    of_pixels: bool,
) -> Shortcut:
    """Put a cause in words.

    Args:
        cause: one of :data:`CAUSES`.
        pairs: the two sources, the accuracy at which the cause parts them, and whether it is
            certain that it is not their scenes.
        names: of all sources.
        facts: the headers of every source's files, where known.
        of_pixels: whether this was seen in pixels rather than read in the files.
    """
    # a certain pair is quoted where there is one: what is said of it needs no hedge
    best = max(pairs, key=lambda pair: (pair[3], pair[2]))
    reach: dict[int, float] = {}
    for first, second, accuracy, _ in pairs:
        for source in (first, second):
            reach[source] = reach.get(source, 0.0) + accuracy
    order = sorted(reach, key=lambda source: -reach[source])
    certain = best[3]
    described = [
        _described(cause, names[source], facts[source], of_pixels) for source in order[:_NAMED]
    ]
    if len(order) > _NAMED:
        described.append(f"{len(order) - _NAMED} more")
    how = "as seen in the pixels alone" if of_pixels else "by the files alone"
    several = cause in ("file names", "labels", "levels")
    what = f"{cause[0].upper()}{cause[1:]} {'tell' if several else 'tells'}"
    if cause == "JPEG quality" and of_pixels:
        what = "Traces of JPEG blocks differ (JPEG quality, or another crop or turn) and tell"
    text = (
        f"{what} {_listed(described)} apart, {how}: "
        f"{names[best[0]]!r} and {names[best[1]]!r} at {best[2]:.0%} (chance 50%). "
    )
    if not certain:
        text += _HEDGES.get(cause if of_pixels else "", _HEDGE)
    return Shortcut(
        cause, tuple(names[source] for source in order), best[2], certain, text + _FIXES[cause]
    )


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _described(cause: str, name: str, facts: list[Facts] | None, of_pixels: bool) -> str:
    """The source with what its files mostly are."""
    if facts is None or of_pixels:
        return repr(name)
    values = {
        "file format": [
            f"progressive {fact.format}" if fact.progressive else fact.format for fact in facts
        ],
        "JPEG quality": [fact.quality for fact in facts if fact.quality is not None],
        "chroma subsampling": [fact.subsampling or "none" for fact in facts],
        "resolution": [f"{fact.width}×{fact.height}" for fact in facts],
        "aspect ratio": [f"{fact.width / fact.height:.2f}" for fact in facts],
        "stored mode": [fact.mode for fact in facts],
        "metadata": [fact.metadata or "none" for fact in facts],
    }.get(cause)
    if not values:
        return repr(name)
    kinds, counts = np.unique(np.array(values, dtype=str), return_counts=True)
    share = counts.max() / len(facts)
    mostly = "" if share > 0.99 else f"{share:.0%} "
    return f"{name!r} ({mostly}{kinds[counts.argmax()]})"
