"""When an example was first learned."""

import numpy as np
import pyarrow as pa

from curate.scores.column import floats
from curate.scores.never_learned import never_learned


def first_learned(table: pa.Table) -> np.ndarray:
    """Presentations needed until first correct: later is harder (Toneva et al., ICLR 2019).

    Over several runs it is the mean over those that learned the example.

    Returns:
        float64 of shape (rows,): presentations (1 = correct at its first), +inf where no run
        learned it, NaN where it was never presented.
    """
    needed = floats(table, "first_learned")
    needed[never_learned(table)] = np.inf
    return needed
