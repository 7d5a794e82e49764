"""Mean loss."""

import numpy as np
import pyarrow as pa

from curate.scores.column import floats


def loss(table: pa.Table) -> np.ndarray:
    """Cross-entropy, the mean over presentations.

    Returns:
        float64 of shape (rows,), in nats; NaN where not known.
    """
    return floats(table, "loss_mean")
