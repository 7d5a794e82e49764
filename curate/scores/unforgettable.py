"""Unforgettable examples."""

import numpy as np
import pyarrow as pa

from curate.scores.forgetting import forgetting


def unforgettable(table: pa.Table) -> np.ndarray:
    """Learned at least once and never forgotten, in every run (Toneva et al., ICLR 2019).

    Returns:
        bool of shape (rows,). Examples never learned or never presented are not among them.
    """
    return forgetting(table) == 0
