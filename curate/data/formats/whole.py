"""Which images of a set can be decoded, for those who would rather go on without the others."""

from typing import Any

import numpy as np

from curate.data.encoded import Encoded
from curate.data.ids import Ids
from curate.data.pixels import decode
from curate.errors import CurateError


def check_errors(errors: str) -> None:
    """Raise a CurateError unless ``errors`` is "raise" or "skip"."""
    if errors not in ("raise", "skip"):
        raise CurateError(f"errors: {errors!r}; give 'raise' or 'skip'")


def whole_images(contents: Encoded, names: Ids) -> tuple[np.ndarray, dict[Any, str]]:
    """The positions of the images that can be decoded, and of the others the names and reasons.

    Raises:
        CurateError: none can be decoded.
    """
    broken: dict[Any, str] = {}
    kept = []
    for position, name in enumerate(names if isinstance(names, list) else names.tolist()):
        try:
            decode(contents[position], name)
        except CurateError:
            broken[name] = "broken"
        else:
            kept.append(position)
    if not kept:
        raise CurateError(
            f"errors: all {len(broken):,} images are broken, such as {next(iter(broken))!r}; give "
            "some that can be decoded"
        )
    return np.array(kept, np.int64), broken
