"""Which classes count, and with which weight: two sets rarely have the same mix."""

from collections.abc import Mapping, Sequence

import numpy as np

from curate.errors import CurateError, is_choice
from curate.retest.gap.predictions import Predictions


def of_classes(
    original: Predictions, new: Predictions, classes: str | Sequence[int] | None
) -> tuple[Predictions, Predictions]:
    """Both sets with the images of these classes only.

    Args:
        original: with labels.
        new: with labels.
        classes: None, all classes, which both sets must have; "shared", those that both have;
            "all", whatever is there; or class indices.

    Raises:
        CurateError: a class without an image in one of the sets, or no class at all.
    """
    sides = (original, new)
    present = [np.unique(side.classes) for side in sides]
    shared = np.intersect1d(present[0], present[1])
    if isinstance(classes, str):
        if not is_choice(classes, ("shared", "all")):
            raise CurateError(f"classes: {classes!r}; give 'shared', 'all' or class indices")
        if classes == "all":
            return original, new
        if not len(shared):
            raise CurateError(f"classes: no class has images in {original.name} and {new.name}")
        wanted = shared
    elif classes is None:
        wanted = np.union1d(present[0], present[1])
        fix = "give classes='shared' for those of both, or 'all' to count every image"
        _all_there(sides, present, wanted, fix)
        return original, new
    else:
        wanted = np.unique(np.asarray(classes))
        if not len(wanted) or wanted.dtype.kind not in "iu":
            raise CurateError(f"classes: {classes!r}; give at least one class index")
        _all_there(sides, present, wanted, "leave it out of classes")
    first, second = (side.at(np.isin(side.classes, wanted)) for side in sides)
    return first, second


def _all_there(
    sides: Sequence[Predictions], present: Sequence[np.ndarray], wanted: np.ndarray, fix: str
) -> None:
    for side, has in zip(sides, present, strict=True):
        lacks = np.setdiff1d(wanted, has)
        if len(lacks):
            more = f" and {len(lacks) - 1} more" if len(lacks) > 1 else ""
            raise CurateError(f"{side.name}: class {lacks[0]}{more} has no image in it; {fix}")


def class_weights(
    original: Predictions, new: Predictions, mix: str | Mapping[int, float] | None
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """A weight for every image, of mean 1, by which both sets have one class mix.

    Args:
        original: with labels.
        new: with labels.
        mix: None, no weights; "original", "new" or "equal"; or class -> share, which need not
            sum to 1.

    Returns:
        float64 (images,) of each set; None where all weigh the same.

    Raises:
        CurateError: an unknown mix, a share that is no positive number, or a class of the mix
            without images.
    """
    if mix is None:
        return None, None
    both = [np.unique(side.classes) for side in (original, new)]
    if isinstance(mix, Mapping):
        shares = {int(label): float(share) for label, share in mix.items()}
        bad = next((label for label, share in shares.items() if not 0 < share < np.inf), None)
        if not shares:
            raise CurateError(f"mix: {mix}; give the share of every class")
        if bad is not None:
            raise CurateError(f"mix: class {bad} has the share {shares[bad]}; give positive ones")
    elif mix == "equal":
        shares = dict.fromkeys(np.union1d(both[0], both[1]).tolist(), 1.0)
    elif mix in ("original", "new"):
        side = original if mix == "original" else new
        labels, counts = np.unique(side.classes, return_counts=True)
        shares = dict(zip(labels.tolist(), counts.astype(float).tolist(), strict=True))
    else:
        raise CurateError(f"mix: {mix!r}; give 'original', 'new', 'equal' or class -> share")
    weights = [_weights(side, shares) for side in (original, new)]
    first, second = (None if np.ptp(one) < 1e-12 else one for one in weights)
    return first, second


def _weights(side: Predictions, shares: dict[int, float]) -> np.ndarray:
    labels, rows, counts = np.unique(side.classes, return_inverse=True, return_counts=True)
    lacks = sorted(set(shares) - set(labels.tolist()))
    if lacks:
        raise CurateError(
            f"mix: class {lacks[0]} has no image in {side.name}; give classes='shared', or a mix "
            "of classes that both sets have"
        )
    missing = sorted(set(labels.tolist()) - set(shares))
    if missing:
        raise CurateError(
            f"mix: it names no share of class {missing[0]}, which {side.name} has; add it, or name "
            "the classes that count by classes"
        )
    each = np.array([shares[label] for label in labels.tolist()]) / counts
    weights = each[rows]
    return np.asarray(weights / weights.mean())
