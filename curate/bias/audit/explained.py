"""Which cause brings which others about, and so goes first."""

_FRAMED = 0.9
"""Accuracy from which on a border is one, however the files were saved."""

_EDGE = 0.85
"""Accuracy from which on a border is what makes places stand out."""

_OUT, _LEAD = 0.8, 0.1
"""Accuracy from which on fixed places go before signs that part a little better."""

_FAINT, _CLEARLY = 0.65, 0.15
"""Accuracy below which a border may be that of darker pictures, which have to part so much better.
"""

_UNEVEN = 0.2
"""By how much better another sign must part, for light that falls unevenly to come of it."""

_ALMOST = 0.05
"""How much less a turn by 90° may tell than the light of the sky, which then comes from a side."""

_HARDLY = 0.1
"""By how much less a filter may part than the levels that it leaves, where halos are cut off."""

_RESAMPLED, _SAVED = {"resolution", "aspect ratio"}, {"file format", "JPEG quality"}
_STORED = {"file format", "grey or colour", "stored mode"}

# What brings a sign about wherever it is named; (cause, seen in pixels): its causes.
_BY = {
    ("JPEG quality", False): {"file format", "stored mode", "grey or colour"},
    # resampling wipes out the grid of blocks; turning by a tag moves it
    ("JPEG quality", True): {*_RESAMPLED, *_SAVED, *_STORED, "resizing filter", "metadata"},
    # nearest neighbours move the lines of blocks, too
    ("crop offset", True): {*_RESAMPLED, *_SAVED, "metadata", "resizing filter"},
    ("chroma subsampling", False): _STORED,
    ("resizing filter", True): {*_RESAMPLED, *_SAVED, "stored mode", "metadata"},
    ("aspect ratio", True): {*_RESAMPLED, *_SAVED, "resizing filter", "metadata", "stored mode"},
    ("border", True): {*_RESAMPLED, "resizing filter"},
    ("stored mode", False): {"file format", "grey or colour"},
    ("metadata", False): {"file format", "stored mode"},
    ("writer", False): {
        *_SAVED,
        *_STORED,
        "metadata",
        "chroma subsampling",
        "resolution",
        "aspect ratio",
    },
    ("tone", True): {"stored mode"},
    ("colour balance", True): {*_STORED, *_SAVED, "chroma subsampling"},
    ("levels", True): {*_RESAMPLED, *_STORED, "chroma subsampling", "crop offset"},
    ("grain or sharpness", True): {
        *_RESAMPLED,
        *_SAVED,
        *_STORED,
        "chroma subsampling",
        "crop offset",
        "metadata",
    },
    ("fixed place", True): {*_RESAMPLED, *_SAVED, "resizing filter", "crop offset"},
    # dithering to a palette has a direction
    ("orientation", True): {"metadata", "labels", "stored mode", "grey or colour"},
}

# Signs that pixels share: the one that parts better goes first; a lead that it needs, or is given.
_MARGIN = {
    "border": 0.0,
    "fixed place": 0.0,
    "resizing filter": 0.0,
    "JPEG quality": -0.02,
    "aspect ratio": 0.0,
    "tone": -0.1,
    "colour balance": -0.1,
    "levels": -0.03,  # few of them are flat blocks, too, and part as well as they do
    "grain or sharpness": -0.01,
}
_OF_LIGHT = {
    "border": 0.85,
    "colour balance": 0.7,
    "fixed place": 0.85,
    "grain or sharpness": 0.7,
    "levels": 0.9,
    "orientation": 0.7,
    "tone": 0.75,
}
"""Signs of pictures that are darker to one side or at the edges, and the accuracies from which on
they are something else."""
_SHARED = set(_MARGIN)
_OF_HEADERS = {"stored mode": 0.5, "metadata": 0.6, "writer": 1.5}
"""Order of what headers tell, where it is not 1: what brings others about first."""

_OWN = {"tone", "colour balance", "levels"}


def rank(cause: str, of_pixels: bool, accuracy: float) -> float:
    """What can be the cause of others without being their effect comes first; then, of what is
    seen in pixels, what parts best, with a lead for the more specific."""
    if cause in ("file format", "grey or colour"):
        return 0
    if not of_pixels:
        return _OF_HEADERS.get(cause, 1)
    if cause == "crop offset":
        return 2.45  # after a resizing filter that parts better than by chance
    if cause == "uneven light":
        return 3 - accuracy - _UNEVEN
    if cause == "fixed place" and accuracy < _OUT:
        return max(2.46, 3 - accuracy)  # a cut moves what stands at the edges, too
    if cause == "orientation":
        return 4
    return 3 - accuracy + _margin(cause, accuracy)


def explains(
    cause: str, accuracy: float, other: str, other_of_pixels: bool, other_accuracy: float
) -> bool:
    """Whether a cause that is named, at this accuracy, brings another sign about."""
    if cause in _BY.get((other, other_of_pixels), set()):
        return True
    if other == "border" and other_accuracy < _FRAMED and cause in _SAVED:
        return True  # coarse quantisation ripples at a flat edge, too
    if cause == "uneven light":
        return other_accuracy < _OF_LIGHT.get(other, 0.0)
    if other == "uneven light":
        lead = -_ALMOST if cause in ("orientation", "aspect ratio") else _UNEVEN
        return cause in _SHARED | {"orientation"} and accuracy >= other_accuracy + lead
    if other == "border" and other_accuracy < _FAINT and cause in _OWN:
        return accuracy >= other_accuracy + _CLEARLY  # the edge is darker with the picture
    if other == "fixed place" and cause == "orientation":
        return moved_by_a_turn(other_accuracy, accuracy)
    if other == "fixed place" and other_accuracy < _OUT and cause in _STORED:
        return True
    if other == "levels" and cause == "resizing filter":
        return left_by_a_filter(other_accuracy, accuracy)
    if other == "orientation" and cause in _SHARED and accuracy >= other_accuracy:
        return True  # few levels, or fine detail, lean the outlines to one side, too
    if not other_of_pixels or cause not in _SHARED or other not in _SHARED:
        return False
    if "levels" in (cause, other) and {cause, other} <= _OWN:
        return False  # which levels there are is a fact by itself
    lead = accuracy - _margin(cause, accuracy) - (other_accuracy - _margin(other, other_accuracy))
    if other == "border" and not (cause == "fixed place" and other_accuracy < _EDGE):
        return False
    return lead >= 0


def left_by_a_filter(levels: float, kernel: float) -> bool:
    """Whether levels that part so well are what a filter leaves that parts so well: it is better,
    or, where neither is clear, hardly worse."""
    return kernel > levels or (levels < _FRAMED and kernel >= levels - _HARDLY)


def lit_by_a_turn(light: float, orientation: float) -> bool:
    """Whether light that falls from a side may be that from above, turned by 90°."""
    return orientation >= light - _ALMOST


def moved_by_a_turn(place: float, orientation: float) -> bool:
    """Whether places that hardly stand out are those at the edges, which a turn puts elsewhere."""
    return place < _OUT and orientation >= place


def _margin(cause: str, accuracy: float) -> float:
    """What a sign is handicapped by; places that clearly stand out have a lead."""
    return -_LEAD if cause == "fixed place" and accuracy >= _OUT else _MARGIN.get(cause, 0.0)


def on_the_border(cause: str, others: dict[str, float]) -> bool:
    """Whether places that stand out are those of a clear border.

    Args:
        cause: what is named.
        others: what is named for the same two sources, with its accuracy.
    """
    return cause == "fixed place" and others.get("border", 0.0) >= _EDGE
