"""Examples that no run learned."""

import numpy as np
import pyarrow as pa

from curate.scores.column import floats, nulls


def never_learned(table: pa.Table) -> np.ndarray:
    """Presented, and never once correct, in no run (Toneva et al., ICLR 2019).

    Returns:
        bool of shape (rows,). An example that was never presented is not among them.
    """
    return nulls(table, "first_learned") & (floats(table, "presentations") > 0)
