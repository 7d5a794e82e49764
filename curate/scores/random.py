"""A random score, the same for an example wherever it stands."""

import numpy as np
import pyarrow as pa

from curate.scores.column import require
from curate.scores.hash_ids import hash_ids


def random(table: pa.Table, *, seed: int = 0) -> np.ndarray:
    """A number drawn for each ``example_id`` from the seed, by hashing (:func:`hash_ids`).

    It depends on nothing else: not on the order of the rows, nor on which others there are.

    Returns:
        float64 of shape (rows,), uniform in [0, 1).
    """
    hashes = hash_ids(require(table, "example_id"), seed=seed, purpose="random")
    return (hashes >> np.uint64(11)) * 2.0**-53
