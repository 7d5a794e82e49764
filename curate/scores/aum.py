"""Area under the margin."""

import numpy as np
import pyarrow as pa

from curate.scores.column import floats


def aum(table: pa.Table) -> np.ndarray:
    """Minus the area under the margin, AUM (Pleiss et al., NeurIPS 2020, Equation 1).

    AUM is the mean over presentations of the label's logit minus the largest other logit. The
    paper's mislabelled examples have a low AUM; here, as everywhere, high = hard.

    Returns:
        float64 of shape (rows,), in logits; NaN where not known.
    """
    return -floats(table, "margin_mean")
