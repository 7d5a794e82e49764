import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.bias import nearest_neighbour
from curate.errors import CurateError
from curate.features import neighbours as module
from curate.features.neighbours import nearest
from curate.features.pair import as_pair, copies
from tests.bias.shift.simulation import alarm_share, band, normal


def slow_share(x, y, k):
    """Schilling's statistic, pair by pair; no two distances are equal."""
    rows = [*x, *y]
    within = 0
    for i, row in enumerate(rows):
        others = [j for j in range(len(rows)) if j != i]
        others.sort(key=lambda j: sum((row - rows[j]) ** 2))
        within += sum((i < len(x)) == (j < len(x)) for j in others[:k])
    return within / (k * len(rows))


@pytest.mark.parametrize(("n", "m", "d", "k"), [(2, 2, 1, 1), (30, 20, 3, 5), (25, 60, 1, 3)])
def test_share_is_that_of_all_pairs(n, m, d, k):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, d)) + 300, rng.normal(0.5, size=(m, d)) + 300
    found = nearest_neighbour(x, y, neighbours=k, permutations=19)
    assert found.statistic == pytest.approx(slow_share(x, y, k))


@given(st.integers(0, 2**32 - 1), st.integers(2, 14), st.integers(2, 14), st.integers(1, 6))
def test_copies_and_ties(seed, n, m, k):
    """Each example has k different others, and none further off than the k nearest."""
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 3, (n, 2)), rng.integers(0, 3, (m, 2))
    k = min(k, n + m - 1)
    found = nearest(as_pair(x, y), k, n + m, rng)
    rows = np.concatenate([x, y])
    for i in range(n + m):
        own = found.neighbour[found.example == i]
        assert len(set(own)) == len(own) == k
        assert i not in own
        distances = np.square(rows - rows[i]).sum(1)
        assert sorted(distances[own]) == sorted(np.delete(distances, i))[:k]


def test_copies_are_found():
    rng = np.random.default_rng(0)
    x = rng.integers(-2, 3, (300, 2)).astype(np.float32)
    x[x == 0] *= -1  # negative zeros are zeros
    y = np.concatenate([x[:50], rng.normal(size=(50, 2)).astype(np.float32)])
    rows = np.concatenate([x, y]) + 0.0
    found = copies(as_pair(x, y), rng)
    assert len(set(found)) == len({tuple(row) for row in rows.tolist()})
    assert (found[300:350] == found[:50]).all()


def test_no_copy_is_everyones_neighbour():
    """Of 500 equal examples, each is taken about as often as any other."""
    found = nearest(as_pair(np.ones((300, 2)), np.ones((200, 2))), 5, 500, np.random.default_rng(0))
    assert np.bincount(found.neighbour, minlength=500).max() <= 5


def test_the_approximate_index_finds_most_neighbours(monkeypatch):
    rng = np.random.default_rng(0)
    pair = as_pair(rng.normal(size=(1500, 4)), rng.normal(size=(1500, 4)))
    exact = nearest(pair, 5, 3000, np.random.default_rng(1))
    monkeypatch.setattr(module, "_EXACT", 100)
    rough = nearest(pair, 5, 3000, np.random.default_rng(1))
    assert "approximate" in rough.method
    pairs = [set(zip(f.example, f.neighbour, strict=True)) for f in (exact, rough)]
    assert len(pairs[0] & pairs[1]) > 0.8 * 15_000


@pytest.mark.parametrize("kind", ["continuous", "copies", "grid", "approximate"])
def test_false_alarms(kind, monkeypatch):
    def draw(rng):
        if kind == "copies":  # five different rows, each some dozen times
            rows = np.random.default_rng(0).normal(size=(5, 3))
            return rows[rng.integers(0, 5, 60)], rows[rng.integers(0, 5, 50)]
        if kind == "grid":  # many equal distances between different rows
            return rng.integers(0, 4, (60, 3)), rng.integers(0, 4, (50, 3))
        return rng.normal(size=(60, 3)), rng.normal(size=(50, 3))

    if kind == "approximate":
        monkeypatch.setattr(module, "_EXACT", 10)
        monkeypatch.setattr(module, "_TRAINING", 10)
    low, high = band(0.05)
    share = alarm_share(nearest_neighbour, draw, permutations=99)
    assert 0.015 <= share <= high if kind == "copies" else low <= share <= high


def test_a_difference_among_copies_is_seen():
    """Sets of the same five rows, in other proportions."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(5, 3))
    x = rows[rng.choice(5, 500, p=[0.4, 0.3, 0.1, 0.1, 0.1])]
    y = rows[rng.choice(5, 500, p=[0.1, 0.1, 0.1, 0.3, 0.4])]
    assert nearest_neighbour(x, y).p_value == 0.001


def test_a_set_of_copies_of_the_other():
    """Every example is in both sets: its copy is a neighbour of the other kind."""
    x = np.random.default_rng(0).normal(size=(200, 3))
    result = nearest_neighbour(x, x, neighbours=1)
    assert result.statistic == 0
    assert result.p_value == 1


def test_power_is_as_stated():
    """A shift that has the stated share on average is detected in about 80 of 100 draws."""
    wanted = nearest_neighbour(*normal(150, 150, 2)(np.random.default_rng(0))).power.smallest
    shares, alarms = [], []
    for shift in (0.4, 0.5, 0.6, 0.7, 0.8):
        results = [
            nearest_neighbour(
                *normal(150, 150, 2, shift)(np.random.default_rng(i)), permutations=99
            )
            for i in range(60)
        ]
        shares.append(np.mean([result.statistic for result in results]))
        alarms.append(np.mean([result.p_value <= 0.05 for result in results]))
    assert shares[0] < wanted < shares[-1]
    assert 0.65 < np.interp(wanted, shares, alarms) < 0.93


@pytest.mark.parametrize("neighbours", [0, 1.0, True])
def test_bad_neighbours(neighbours):
    with pytest.raises(CurateError, match="neighbours"):
        nearest_neighbour(np.eye(3), np.eye(3), neighbours=neighbours)
