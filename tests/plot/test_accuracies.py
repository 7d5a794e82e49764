"""The figure of a retest."""

import pytest

from curate.retest import accuracy_gap
from tests.retest.worlds import predictions

pytest.importorskip("matplotlib")


def test_a_point_a_model_and_the_line(tmp_path):
    gap = accuracy_gap(
        predictions([0.7, 0.8, 0.9], 300, 1), predictions([0.6, 0.7, 0.85], 200, 2), resamples=100
    )
    axes = gap.plot()
    (points,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert points.get_xdata() == pytest.approx(gap.table["accuracy_original"].to_pylist())
    assert points.get_ydata() == pytest.approx(gap.table["accuracy_new"].to_pylist())
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert f"slope {gap.fits['slope'][0].as_py():.2f}" in labels
    axes.figure.savefig(tmp_path / "gap.png")
