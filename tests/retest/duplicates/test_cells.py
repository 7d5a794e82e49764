"""The cells of an inverted file give the same rows, in however many shards they lie."""

import faiss
import numpy as np
import pytest

from curate.retest.duplicates import cells as module
from curate.retest.duplicates.cells import Cells, Shard, cells_here
from curate.retest.duplicates.search import build_index

N, WIDTH, LISTS = 600, 8, 12


@pytest.fixture(scope="module")
def world():
    """Rows, many of them equal, and an empty index that knows its cells."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(N, WIDTH)).astype(np.float32)
    rows[100:150] = rows[7]  # more than are asked for
    rows[rng.integers(0, N, 60)] = rows[rng.integers(0, N, 60)]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    quantizer = faiss.IndexFlatIP(WIDTH)
    trained = faiss.IndexIVFScalarQuantizer(
        quantizer, WIDTH, LISTS, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    trained.train(rows)
    return rows, trained, quantizer


def sharded(trained, quantizer, rows, step, looked_at):
    empty = faiss.serialize_index(trained)
    starts = range(0, len(rows), step)
    shards = [Shard(empty, rows[start : start + step], start) for start in starts]
    return Cells(quantizer, shards, len(rows), looked_at)


def slowly(trained, rows, queries, k, looked_at):
    """Every row of the cells, one after another, by its similarity and then its number."""
    index = faiss.clone_index(trained)
    index.add(rows)
    centres = faiss.downcast_index(index.quantizer).reconstruct_n(0, LISTS)
    _, cell_of = index.quantizer.search(rows, 1)
    index.make_direct_map()
    kept = index.reconstruct_n(0, len(rows))  # what one byte per number leaves of them
    different, which = np.unique(kept, axis=0, return_inverse=True)
    found = np.full((len(queries), k), -1, np.int64)
    for number, query in enumerate(queries):
        cells = np.argsort(-(centres @ query), kind="stable")[:looked_at]
        inside = np.flatnonzero(np.isin(cell_of[:, 0], cells))
        similar = (different.astype(np.float64) @ query)[which.ravel()[inside]]
        order = inside[np.lexsort((inside, -similar))]
        found[number, : min(k, len(order))] = order[:k]
    return found


@pytest.mark.parametrize("looked_at", [1, 4, LISTS])
@pytest.mark.parametrize("k", [1, 5, 40])
def test_one_process_and_shards_find_what_a_slow_search_finds(world, k, looked_at):
    rows, trained, quantizer = world
    queries = rows[::7]
    here = sharded(trained, quantizer, rows, N, looked_at)
    near, numbers = here.search(queries, k)
    assert near.shape == numbers.shape == (len(queries), k)
    assert (np.diff(near, axis=1) <= 0).all()
    np.testing.assert_array_equal(numbers, slowly(trained, rows, queries, k, looked_at))
    for step in (50, 128, 599):
        parts = sharded(trained, quantizer, rows, step, looked_at).search(queries, k)
        assert near.tobytes() == parts[0].tobytes()
        assert numbers.tobytes() == parts[1].tobytes()


def test_copies_beyond_what_is_asked_for_come_in_their_order(world):
    rows, trained, quantizer = world
    copies = np.flatnonzero((rows == rows[7]).all(1))
    _, numbers = sharded(trained, quantizer, rows, 100, 4).search(rows[7:8], 20)
    np.testing.assert_array_equal(numbers[0], copies[:20])


def test_few_hits_are_held_at_a_time(world, monkeypatch):
    rows, trained, quantizer = world
    whole = sharded(trained, quantizer, rows, N, 4).search(rows, 9)
    monkeypatch.setattr(module, "_AT_ONCE", 25)
    parts = sharded(trained, quantizer, rows, N, 4).search(rows, 9)
    assert whole[1].tobytes() == parts[1].tobytes()


def test_an_index_says_how_many_cells_it_looks_into():
    rows = np.random.default_rng(1).normal(size=(3000, 16)).astype(np.float32)
    index = build_index(rows, np.random.default_rng(0), exact=1000, fill=cells_here)
    assert index.index.ntotal == 3000
    assert f"{index.index.looked_at} looked at" in index.method
