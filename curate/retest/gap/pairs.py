"""Every pair of models: who is better on each set, and is a reversal more than chance?"""

import numpy as np
import pyarrow as pa

from curate.retest.gap.predictions import Predictions
from curate.stats import disagreements, holm, mcnemar


def pair_table(original: Predictions, new: Predictions, order: np.ndarray) -> pa.Table:
    """One row per pair of models.

    Args:
        original: predictions with labels.
        new: of the same models.
        order: int64 (models,), from the best on the original set down: ``model_a`` comes first.

    Returns:
        Columns model_a, model_b; of each set ``better_*`` (accuracy of a less that of b),
        ``p_*`` (McNemar's exact test on the images of that set) and ``p_*_holm`` (corrected for
        all pairs); ``reversed`` (a is ahead on the original set, b on the new one), ``p_reversal``
        (the larger p of the two, so that a small one rejects that either lead is chance; 1 where
        nothing is reversed) and ``p_reversal_holm``.
    """
    first, second = np.triu_indices(len(order), 1)
    a, b = order[first], order[second]
    names = np.array(original.models, object)
    columns: dict[str, object] = {"model_a": names[a].tolist(), "model_b": names[b].tolist()}
    signs, p_values = [], []
    for name, side in (("original", original), ("new", new)):
        only = disagreements(side.correct)
        a_only, b_only = only[a, b], only[b, a]
        p = mcnemar(a_only, b_only)
        columns[f"better_{name}"] = (a_only - b_only) / len(side)
        columns[f"p_{name}"] = p
        columns[f"p_{name}_holm"] = holm(p)
        signs.append(np.sign(a_only - b_only))
        p_values.append(p)
    swapped = signs[0] * signs[1] < 0
    together = np.where(swapped, np.maximum(*p_values), 1.0)
    columns |= {"reversed": swapped, "p_reversal": together, "p_reversal_holm": holm(together)}
    return pa.table(columns)
