"""Telling the C library to keep what is freed."""

from functools import cache

import numpy as np


@cache
def keep_freed_memory() -> None:
    """Let arrays of some megabytes reuse the memory of the last ones.

    The GNU C library gives large freed blocks back to the kernel, so that each temporary array is
    paged in anew: half the time of a selection. It keeps blocks as large as the largest it has
    seen freed, up to 32 MiB; this frees one, which costs nothing, as it is never written to.
    Elsewhere it does nothing.
    """
    np.empty(31 << 20, np.uint8)
