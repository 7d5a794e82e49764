"""Forgetting events."""

import numpy as np
import pyarrow as pa

from curate.scores.column import floats, nulls, require


def forgetting(table: pa.Table) -> np.ndarray:
    """Number of forgetting events (Toneva et al., ICLR 2019, Section 3).

    An example that some run never learned counts as forgotten without end (+inf): the paper
    gives it the largest count there is. Over several runs (``curate.merge``) events are summed.

    Returns:
        float64 of shape (rows,): events, or NaN where the example was never presented.
    """
    events = floats(table, "forgetting_events")
    if "runs_learned" in table.column_names:
        endless = floats(table, "runs_learned") < floats(table, "runs")
    else:
        endless = nulls(table, "first_learned")
    if require(table, "forgetting_events").null_count:
        endless &= ~np.isnan(events)  # never presented: not known, rather than hard
    events[endless] = np.inf
    return events
