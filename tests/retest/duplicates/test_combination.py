import numpy as np

from curate.retest.duplicates.combination import learn, prevalence, probabilities
from curate.retest.duplicates.search import build_index


def drawn(count, at, seed):
    return np.random.default_rng(seed).normal(at, 1, (count, 3))


def test_more_alike_is_never_less_probable():
    model = learn(drawn(500, 2.0, 0), drawn(3000, 0.0, 1))
    values = drawn(300, 1.0, 2) * 3
    for column in range(3):
        moved = values.copy()
        moved[:, column] += np.random.default_rng(3).exponential(2, len(values))
        assert (model.log_odds(moved) >= model.log_odds(values) - 1e-9).all()
    assert model.log_odds(np.array([[1.0, np.nan, 1.0]]))[0] == -np.inf


def test_probabilities_are_calibrated_and_the_share_is_recovered():
    model = learn(drawn(2000, 1.5, 0), drawn(5000, 0.0, 1))
    world = np.concatenate([drawn(400, 1.5, 2), drawn(9600, 0.0, 3)])
    truth = np.arange(10_000) < 400
    odds = model.log_odds(world)
    share = prevalence(odds)
    assert 0.027 < share < 0.06
    found = probabilities(odds, share)
    for low, high in ((0.02, 0.2), (0.2, 0.6), (0.6, 1.01)):
        bin_ = (found >= low) & (found < high)
        error = np.sqrt(0.25 / bin_.sum())
        assert abs(found[bin_].mean() - truth[bin_].mean()) < 3 * error + 0.03


def test_copies_among_the_others_do_not_spoil_the_fit():
    clean = learn(drawn(1000, 4.0, 0), drawn(5000, 0.0, 1))
    mixed = learn(drawn(1000, 4.0, 0), np.concatenate([drawn(5000, 0.0, 1), drawn(20, 4.0, 2)]))
    at = np.array([[3.0, 3.0, 3.0]])
    assert mixed.log_odds(at)[0] > 0.5 * clean.log_odds(at)[0] > 0


def test_the_approximate_index_measures_its_own_recall():
    rows = np.random.default_rng(0).normal(size=(6000, 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    exact = build_index(rows, np.random.default_rng(0))
    rough = build_index(rows, np.random.default_rng(0), exact=1000)
    assert exact.recall == 1
    assert exact.method == "exact"
    assert rough.recall >= 0.96
    assert rough.method.startswith("approximate: 309 cells")
    queries = rows[::60] + 0.01
    true, found = exact.search(queries, 10)[1], rough.search(queries, 10)[1]
    near = np.mean([np.isin(one, other).mean() for one, other in zip(true, found, strict=True)])
    assert near >= 0.93
    slow = np.argsort(-(queries @ rows.T), 1)[:, :10]
    assert np.array_equal(true, slow)


def test_where_faiss_sees_a_gpu_the_search_is_exact_on_it(monkeypatch):
    """No GPU here: what would go there is checked to be the empty exact index."""
    import faiss

    moved = []

    def to_gpus(index):
        moved.append((type(index), index.ntotal))
        return index

    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1)
    monkeypatch.setattr(faiss, "index_cpu_to_all_gpus", to_gpus)
    rows = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    monkeypatch.setattr("curate.retest.duplicates.search._EXACT", 100)
    index = build_index(rows, np.random.default_rng(0))
    assert index.method == "exact"
    assert moved == [(faiss.IndexFlatIP, 0)]
    assert np.array_equal(index.search(rows, 3)[1], np.argsort(-(rows @ rows.T), 1)[:, :3])
    monkeypatch.setattr("curate.retest.duplicates.search._EXACT_BYTES_ON_GPU", 299 * 8 * 4)
    assert build_index(rows, np.random.default_rng(0)).method.startswith("approximate")
