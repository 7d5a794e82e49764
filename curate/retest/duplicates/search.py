"""The nearest rows by inner product, exactly or through an inverted file whose recall is known."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from curate.retest.duplicates.cells import Cells, cells_here

_EXACT = 200_000  # rows up to which every pair is looked at
_EXACT_BYTES_ON_GPU = 8 << 30
_ASKED = 1024
_PROBED = 256  # queries that tell the recall
_GOAL = 0.96


@dataclass(frozen=True, eq=False)
class Index:
    """Rows that can be searched.

    Attributes:
        index: of faiss, or its cells in one or several shards.
        method: how it searches, in words.
        recall: of the 10 nearest rows, the share that it finds; 1 if exact. Measured.
    """

    index: Any
    method: str
    recall: float

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Similarities float32 and rows int64 of the k nearest, both (q, k); row -1: none."""
        k = min(k, self.index.ntotal)
        near = np.empty((len(queries), k), np.float32)
        rows = np.empty((len(queries), k), np.int64)
        for start in range(0, len(queries), _ASKED):
            part = np.ascontiguousarray(queries[start : start + _ASKED], np.float32)
            near[start : start + len(part)], rows[start : start + len(part)] = self.index.search(
                part, k
            )
        return near, rows


def build_index(
    rows: np.ndarray,
    rng: np.random.Generator,
    exact: int | None = None,
    fill: Callable[[Any, np.ndarray], Cells] = cells_here,
) -> Index:
    """An index of float32 rows (n, w): exact for up to ``exact`` rows, 200,000 by default.

    Where faiss sees a GPU (``faiss-gpu-cu12``), exact for up to 8 GiB of rows by default, on it.
    Beyond, rows go to the nearest of 4·√n centres, one byte per number, and about as many cells
    are looked at as find 96 % of the 10 nearest rows of 256 of the rows. ``fill`` puts them there,
    in this process or into shards elsewhere.
    """
    import faiss

    on_gpu = faiss.get_num_gpus() > 0
    if exact is None:
        exact = _EXACT_BYTES_ON_GPU // (4 * rows.shape[1]) if on_gpu else _EXACT
    if len(rows) <= exact:
        index: Any = faiss.IndexFlatIP(rows.shape[1])
        if on_gpu:
            index = faiss.index_cpu_to_all_gpus(index)
        index.add(np.ascontiguousarray(rows, np.float32))
        return Index(index, "exact", 1.0)
    cells = int(4 * np.sqrt(len(rows)))
    trained = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(rows.shape[1]),
        rows.shape[1],
        cells,
        faiss.ScalarQuantizer.QT_8bit,
        faiss.METRIC_INNER_PRODUCT,
    )
    sample = rng.permutation(len(rows))[: 40 * cells]
    trained.cp.niter = 8
    trained.train(np.ascontiguousarray(rows[np.sort(sample)], np.float32))
    filled = fill(trained, rows)
    probed = np.ascontiguousarray(rows[rng.permutation(len(rows))[:_PROBED]], np.float32)
    true = _exact(rows, probed, 10)

    def looking_at(cells: int) -> tuple[Cells, float]:
        some = replace(filled, looked_at=cells)
        found = some.search(probed, 10)[1]
        return some, np.mean([np.isin(*pair).mean() for pair in zip(true, found, strict=True)])

    too_few, (enough, recall) = 0, looking_at(filled.looked_at)
    while recall < _GOAL and enough.looked_at < cells:
        too_few = enough.looked_at
        enough, recall = looking_at(min(cells, 2 * too_few))
    while enough.looked_at - too_few > enough.looked_at // 8:
        middle, share = looking_at((too_few + enough.looked_at) // 2)
        if share >= _GOAL:
            enough, recall = middle, share
        else:
            too_few = middle.looked_at
    method = f"approximate: {cells:,} cells, {enough.looked_at} looked at"
    return Index(enough, method, float(recall))


def _exact(rows: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    """The k nearest rows of each query by looking at all of them, block by block."""
    best = np.full((len(queries), k), -np.inf, np.float32)
    found = np.full((len(queries), k), -1, np.int64)
    for start in range(0, len(rows), 1 << 15):
        block = np.asarray(rows[start : start + (1 << 15)], np.float32)
        near = np.concatenate([best, queries @ block.T], 1)
        places = np.concatenate(
            [
                found,
                np.broadcast_to(np.arange(start, start + len(block)), (len(queries), len(block))),
            ],
            1,
        )
        top = np.argpartition(-near, k - 1, axis=1)[:, :k]
        best, found = np.take_along_axis(near, top, 1), np.take_along_axis(places, top, 1)
    return found
