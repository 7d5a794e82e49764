"""The cells of an inverted file, whole in this process or in shards, each in an actor of Ray."""

import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np

_ADDED = 1 << 16  # rows that are put into cells at a time
_AT_ONCE = 1 << 22  # hits that are held at a time
_LOOKED_AT = 4


@dataclass(frozen=True, eq=False)
class Cells:
    """Rows by the nearest of a number of centres, in shards that each hold some of the rows.

    The nearest rows are the same however they are divided: each shard is asked about the same
    cells, at the same distances from their centres, and of equally near rows the first count.

    Attributes:
        centres: faiss's index of the centres.
        shards: one or more :class:`Shard`, or actors of Ray that are such.
        ntotal: rows of all shards.
        looked_at: the number of cells that a query looks into.
    """

    centres: Any
    shards: list[Any]
    ntotal: int
    looked_at: int = _LOOKED_AT

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Similarities float32 and rows int64 of the k nearest, both (q, k); row -1: none."""
        similarities, cells = self.centres.search(queries, self.looked_at)
        asked = (queries, k, cells, similarities)
        if isinstance(self.shards[0], Shard):
            parts = [shard.search(*asked) for shard in self.shards]
        else:
            import ray

            shared = [ray.put(part) if isinstance(part, np.ndarray) else part for part in asked]
            parts = ray.get([shard.search.remote(*shared) for shard in self.shards])
        if len(parts) == 1:
            return parts[0]  # type: ignore[no-any-return]
        near, rows = (np.concatenate(part, 1) for part in zip(*parts, strict=True))
        return _first(near, rows, k)


class Shard:
    """Some consecutive rows in the cells of a trained index."""

    def __init__(self, trained: np.ndarray, rows: np.ndarray, first: int) -> None:
        """Fill the cells.

        Args:
            trained: an empty index that faiss serialized.
            rows: float32 (n, w).
            first: the number of the first one.
        """
        import faiss

        self.index: Any = faiss.deserialize_index(trained)
        for start in range(0, len(rows), _ADDED):
            part = np.ascontiguousarray(rows[start : start + _ADDED], np.float32)
            numbers = np.arange(first + start, first + start + len(part))
            self.index.add_with_ids(part, numbers)

    def search(
        self, queries: np.ndarray, k: int, cells: np.ndarray, similarities: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest rows of these cells (q, l), nearest first, of equally near the first.

        Args:
            queries: float32 (q, w).
            k: how many.
            cells: int64 (q, l).
            similarities: float32 (q, l), of the queries with the cells' centres.
        """
        near = np.empty((len(queries), k), np.float32)
        rows = np.empty((len(queries), k), np.int64)
        open_, asked = np.arange(len(queries)), k + 1
        while len(open_):  # until what comes after the k-th is less near
            tied = []
            step = max(1, _AT_ONCE // asked)
            for start in range(0, len(open_), step):
                part = open_[start : start + step]
                found, numbers = self._ask(queries[part], asked, cells[part], similarities[part])
                near[part], rows[part] = _first(found, numbers, k)
                more = (found[:, -1] == found[:, k - 1]) & (numbers[:, -1] >= 0)
                tied.append(part[more])
            open_, asked = np.concatenate(tied), 4 * asked
        return near, rows

    def _ask(
        self, queries: np.ndarray, k: int, cells: np.ndarray, similarities: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        self.index.nprobe = cells.shape[1]
        return self.index.search_preassigned(  # type: ignore[no-any-return]
            np.ascontiguousarray(queries), k, cells, similarities
        )


class _Actors(list[Any]):
    """A list that can tell when nobody needs it any more."""


def _end(actors: list[Any]) -> None:
    import ray

    if ray.is_initialized():
        for actor in actors:
            ray.kill(actor)


def cells_here(trained: Any, rows: np.ndarray) -> Cells:
    """The rows in the cells of a trained index, in this process."""
    import faiss

    shard = Shard(faiss.serialize_index(trained), rows, 0)
    return Cells(_centres(trained), [shard], len(rows))


def cells_on_ray(trained: Any, rows: np.ndarray) -> Cells:
    """The rows in the cells of a trained index, in one actor for each processor of the cluster."""
    import faiss
    import ray

    workers = max(1, int(ray.cluster_resources().get("CPU", 1)))
    blocks = -(-len(rows) // _ADDED)
    step = -(-blocks // workers) * _ADDED  # whole blocks: as one process adds them
    empty = ray.put(faiss.serialize_index(trained))
    # an actor waits for queries most of the time, so it takes no processor from the workers
    actor = ray.remote(num_cpus=0, scheduling_strategy="SPREAD")(Shard)
    shards = _Actors(
        actor.remote(empty, ray.put(rows[start : start + step]), start)
        for start in range(0, len(rows), step)
    )
    weakref.finalize(shards, _end, list(shards))  # workers may hold on to the last search
    return Cells(_centres(trained), shards, len(rows))


def _centres(trained: Any) -> Any:
    """A copy, for the index owns its own and is gone before its cells are."""
    import faiss

    return faiss.deserialize_index(faiss.serialize_index(trained.quantizer))


def _first(near: np.ndarray, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest of each line, of equally near the first rows; -1, of none, comes last."""
    order = np.lexsort((rows, -near, rows < 0), axis=1)[:, :k]
    return np.take_along_axis(near, order, 1), np.take_along_axis(rows, order, 1)
