"""Example tables drawn at random, with the columns that a Recorder with track="all" makes."""

import numpy as np
import pyarrow as pa

FLOATS = (
    "last_loss",
    "loss_mean",
    "margin_last",
    "margin_mean",
    "confidence_mean",
    "confidence_std",
    "el2n_mean",
)


def example_table(
    rows=100, seed=0, classes=4, strings=False, never_presented=0.0, never_learned=0.1, runs=1
):
    """Rows in a random order of ids; ``never_*`` are probabilities."""
    rng = np.random.default_rng(seed)
    ids = rng.permutation(rows * 3)[:rows].astype(np.int64)
    absent = rng.random(rows) < never_presented
    learned = np.where(absent, 0, rng.binomial(runs, 1 - never_learned, rows))

    def column(values, type_, null=absent):
        return pa.array(values, type_, mask=null)

    first = rng.integers(1, 9, rows) if runs == 1 else rng.uniform(1, 9, rows)
    columns = {
        "example_id": pa.array([f"img/{i}.png" for i in ids]) if strings else pa.array(ids),
        "label": column(rng.integers(0, classes, rows), pa.int64()),
        "presentations": pa.array(np.where(absent, 0, 9 * runs), pa.int32()),
        "correct": column(rng.integers(0, 9, rows), pa.int32()),
        "forgetting_events": column(rng.geometric(0.5, rows) - 1, pa.int32()),
        "learning_events": column(rng.geometric(0.5, rows) - 1, pa.int32()),
        "first_learned": column(first, pa.int32() if runs == 1 else pa.float64(), learned == 0),
        "non_finite": column(np.zeros(rows), pa.int32()),
        **{name: column(rng.normal(size=rows), pa.float64()) for name in FLOATS},
    }
    if runs > 1:
        columns["runs"] = pa.array(np.where(absent, 0, runs), pa.int32())
        columns["runs_learned"] = pa.array(learned, pa.int32())
    return pa.table(columns)
