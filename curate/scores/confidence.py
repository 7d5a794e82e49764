"""Lack of confidence in the label."""

import numpy as np
import pyarrow as pa

from curate.scores.column import floats


def confidence(table: pa.Table) -> np.ndarray:
    """Minus the mean probability of the label (Swayamdipta et al., EMNLP 2020, Section 2).

    Low confidence is the paper's 'hard-to-learn' region; the sign is turned so that high = hard.

    Returns:
        float64 of shape (rows,), between -1 (sure) and 0; NaN where not known.
    """
    return -floats(table, "confidence_mean")
