"""Margin at the last presentation."""

import numpy as np
import pyarrow as pa

from curate.scores.column import floats


def margin(table: pa.Table) -> np.ndarray:
    """Minus the margin at the last presentation (margin: Pleiss et al., NeurIPS 2020, Section 3).

    The margin is the label's logit minus the largest other logit; :func:`aum` is its mean.

    Returns:
        float64 of shape (rows,), in logits; positive where the last outcome was wrong, NaN where
        not known.
    """
    return -floats(table, "margin_last")
