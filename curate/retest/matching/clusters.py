"""Sub-classes where nobody named them: clusters of the original set's embeddings."""

import numpy as np
import pyarrow as pa

from curate.errors import CurateError

_PER_CLASS = 25  # as many as CIFAR-10.1 has keywords a class


def clusters(pool: pa.Table, original: pa.Table, seed: int) -> tuple[list[str], list[str]]:
    """The cluster of every candidate and of every original example, class by class.

    Clusters are those of the original set (k-means); a candidate is in the nearest of its class,
    or in the nearest of all where the tables have no ``label``.
    """
    from sklearn.cluster import KMeans

    x, y = _vectors(pool, "pool"), _vectors(original, "original")
    if x.shape[1] != y.shape[1]:
        raise CurateError(f"pool: embeddings of {x.shape[1]} numbers, the original's {y.shape[1]}")
    labelled = "label" in pool.column_names and "label" in original.column_names
    of_pool, of_original = (
        np.array(table["label"].to_pylist(), object) if labelled else np.zeros(len(table), object)
        for table in (pool, original)
    )
    pool_names, original_names = np.empty(len(x), object), np.empty(len(y), object)
    pool_names[:] = ""  # of a class that the original set lacks
    for label in dict.fromkeys(of_original.tolist()):
        inside, candidates = of_original == label, of_pool == label
        found = min(_PER_CLASS, len(np.unique(y[inside], axis=0)))
        means = KMeans(found, n_init=1, random_state=seed).fit(y[inside])
        original_names[inside] = [f"{label}/{k}" for k in means.labels_]
        if candidates.any():
            pool_names[candidates] = [f"{label}/{k}" for k in means.predict(x[candidates])]
    return pool_names.tolist(), original_names.tolist()


def _vectors(table: pa.Table, name: str) -> np.ndarray:
    rows = table["embedding"].to_pylist()
    try:
        vectors = np.array(rows, np.float32)
    except (TypeError, ValueError):
        vectors = np.empty(0, np.float32)
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise CurateError(f"{name}: 'embedding' must hold lists of equally many finite numbers")
    return vectors
