"""The error's l2 norm."""

import numpy as np
import pyarrow as pa

from curate.scores.column import floats


def el2n(table: pa.Table) -> np.ndarray:
    """EL2N: the l2 norm of softmax(logits) - onehot(label) (Paul et al., NeurIPS 2021, Def. 2.2).

    The paper averages over networks at one early epoch (it uses 20); here it is the mean over the
    presentations recorded, so record a short run to have the early score. It reproduces, which
    GraNd at initialisation does not (Kirsch, 2023).

    Returns:
        float64 of shape (rows,), between 0 and sqrt(2); NaN where not known.
    """
    return floats(table, "el2n_mean")
