"""Small synthetic sources with labels, of which the truth is known."""

import numpy as np

from curate.bias import Source


def world(name, count, *, classes=4, dims=12, shift=0.0, noise=1.0, seed=0, labels=None):
    """Gaussian classes about fixed means; ``shift`` moves all of them, ``noise`` widens them."""
    means = np.random.default_rng(99).normal(size=(classes, dims)) * 0.8
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count) if labels is None else labels
    x = means[labels] + noise * rng.normal(size=(count, dims)) + shift
    return Source(
        name,
        np.arange(count),
        features=x.astype(np.float32),
        labels=labels,
        class_names=tuple(f"class {i}" for i in range(classes)),
    )
