"""Variability of the confidence."""

import numpy as np
import pyarrow as pa

from curate.scores.column import floats


def variability(table: pa.Table) -> np.ndarray:
    """Standard deviation of the label's probability (Swayamdipta et al., EMNLP 2020, Section 2).

    It is taken over the presentations; high is the paper's 'ambiguous' region, which it keeps.

    Returns:
        float64 of shape (rows,), between 0 and 1/2; NaN where not known.
    """
    return floats(table, "confidence_std")
