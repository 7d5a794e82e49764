"""The removal curve as a matplotlib figure."""

import sys

import numpy as np
import pytest

import curate
from curate import smallest_set
from curate.train import settings_for
from tests.experiment.test_smallest_set import DATA, blobs


def search(**options):
    fixed = {"by": "aum", "sizes": [0.8, 0.3], "seeds": 2, "margin": 0.5}
    return smallest_set(
        DATA, blobs(90, seed=1), settings=settings_for((5,), epochs=1), **fixed, **options
    )


@pytest.fixture(scope="module")
def result():
    return search()


def test_every_mean_and_interval_is_drawn(result, tmp_path):
    pytest.importorskip("matplotlib")
    axes = result.plot()
    drawn = {
        (bars.get_label(), round(float(x), 6)): float(y)
        for bars in axes.containers
        for x, y in zip(*bars.lines[0].get_data(), strict=True)
    }
    curve = result.curve.to_pylist()
    labels = {"all": "all examples", "random": "as many at random"}
    assert drawn == {
        (labels.get(row["arm"], row["arm"]), round(row["share"], 6)): row["accuracy"]
        for row in curve
    }
    of_score = next(bars for bars in axes.containers if bars.get_label() == "aum")
    segments = of_score.lines[2][0].get_segments()
    rows = sorted((row for row in curve if row["arm"] == "aum"), key=lambda row: row["size"])
    for row, segment in zip(rows, segments, strict=True):
        assert segment[:, 1] == pytest.approx([row["low"], row["high"]])
    assert axes.get_xscale() == "log"
    axes.figure.savefig(tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 1000


def test_labels_of_sizes_near_each_other_are_left_out():
    pytest.importorskip("matplotlib")
    from curate.plot.removal import _apart

    shares = np.array([0.5, 0.9, 0.98, 1.0])
    assert _apart(shares, np.asarray) == [1.0, 0.9, 0.5]
    assert _apart(np.array([1.0]), np.log) == [1.0]


def test_nothing_trained_and_no_matplotlib_are_said(result, monkeypatch):
    pytest.importorskip("matplotlib")
    with pytest.raises(curate.CurateError, match="plot: nothing was trained in time"):
        search(budget=1e-6).plot()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(curate.CurateError, match=r"pip install 'curate-data\[plot\]'"):
        result.plot()
