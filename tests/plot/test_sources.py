"""Pictures of sources."""

import numpy as np
import pyarrow as pa
import pytest

from curate.plot import plot_confusion, plot_exchange, plot_learning_curve

pytest.importorskip("matplotlib")


def test_a_cell_has_its_rate_and_a_name_is_text(tmp_path):
    names = ["$a_b", "c<d", "e"]
    rates = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.0, 0.5, 0.5]])
    rows = [
        {"source": names[i], "named": names[j], "rate": rates[i, j]} for i, j in np.ndindex(3, 3)
    ]
    ax = plot_confusion(pa.Table.from_pylist(rows))
    assert np.asarray(ax.images[0].get_array()) == pytest.approx(rates)
    written = {text.get_position(): text.get_text() for text in ax.texts}
    assert written == {(j, i): f"{100 * rates[i, j]:.0f}" for i, j in np.ndindex(3, 3)}
    assert [label.get_text() for label in ax.get_xticklabels()] == names
    ax.figure.savefig(tmp_path / "confusion.png")


def test_an_undefined_value_is_a_dash():
    rows = [("m", "a", 1.0), ("m", "b", None), ("n", "a", 0.256), ("n", "b", 2.5)]
    names = ("market", "source", "value")
    table = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])
    ax = plot_exchange(table)
    written = {text.get_position(): text.get_text() for text in ax.texts}
    assert written == {(0, 0): "1", (1, 0): "–", (0, 1): "0.26", (1, 1): "2.5"}


def test_means_and_intervals_are_drawn(tmp_path):
    curve = pa.table(
        {
            "size": [10, 20, 40],
            "mean": [0.3, 0.5, 0.6],
            "low": [0.2, 0.4, 0.55],
            "high": [0.4, 0.6, 0.7],
        }
    )
    ax = plot_learning_curve(curve, 0.25)
    (bars,) = ax.containers
    assert bars.lines[0].get_ydata() == pytest.approx([0.3, 0.5, 0.6])
    segments = bars.lines[2][0].get_segments()
    assert segments[1][:, 1] == pytest.approx([0.4, 0.6])
    assert any(line.get_ydata()[0] == 0.25 for line in ax.lines)
    ax.figure.savefig(tmp_path / "curve.png")
