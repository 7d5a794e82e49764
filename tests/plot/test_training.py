"""Pictures of an example table."""

import numpy as np
import pyarrow as pa
import pytest

import curate
from curate.plot import plot_data_map, plot_forgetting, plot_gallery

pytest.importorskip("matplotlib")
from matplotlib.figure import Figure


def table(rows=500, seed=0):
    rng = np.random.default_rng(seed)
    events = rng.integers(0, 4, rows).astype(float)
    learned = rng.integers(1, 9, rows)
    never = rng.random(rows) < 0.1
    events[never] = 0
    unseen = rng.random(rows) < 0.05
    return pa.table(
        {
            "example_id": np.arange(rows),
            "forgetting_events": pa.array(events.astype(int), mask=unseen),
            "first_learned": pa.array(learned, mask=never | unseen),
            "confidence_mean": pa.array(rng.random(rows), mask=unseen),
            "confidence_std": pa.array(rng.random(rows) / 2, mask=unseen),
        }
    )


def test_every_presented_example_is_in_one_bar(tmp_path):
    examples = table()
    ax = plot_forgetting(examples)
    rows = [row for row in examples.to_pylist() if row["forgetting_events"] is not None]
    learned, never = ax.containers
    drawn = {bar.get_x() + bar.get_width() / 2: bar.get_height() for bar in learned}
    expected = {}
    for row in rows:
        if row["first_learned"] is not None:
            expected[row["forgetting_events"]] = expected.get(row["forgetting_events"], 0) + 1
    assert drawn == pytest.approx(expected)
    assert never[0].get_height() == sum(row["first_learned"] is None for row in rows)
    assert f"of {len(rows):,} examples" == ax.get_ylabel()
    ax.figure.savefig(tmp_path / "forgetting.png")


def test_the_map_has_a_dot_an_example_whose_values_are_known():
    examples = table()
    kept = np.arange(500) % 3 > 0
    ax = Figure().add_subplot()
    assert plot_data_map(examples, kept, ax) is ax
    removed, stays = ax.collections
    known = ~np.array(examples["confidence_mean"].is_null())
    x, y = examples["confidence_std"].to_numpy(), examples["confidence_mean"].to_numpy()
    for dots, which in ((removed, ~kept), (stays, kept)):
        rows = known & which
        drawn = {tuple(point) for point in np.asarray(dots.get_offsets()).tolist()}
        assert drawn == set(zip(x[rows].tolist(), y[rows].tolist(), strict=True))
    with pytest.raises(curate.CurateError, match="kept: int64 of shape"):
        plot_data_map(examples, np.arange(500))
    with pytest.raises(curate.CurateError, match="confidence_mean"):
        plot_data_map(examples.drop_columns(["confidence_mean"]))


@pytest.mark.parametrize("shape", [(3, 5, 7), (1, 5, 7), (5, 7)])
def test_pictures_keep_their_order_and_titles_are_plain(shape, tmp_path):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, shape).astype(np.uint8) for _ in range(5)]
    titles = [f"$x_{i} <b>" for i in range(5)]
    ax = plot_gallery(images, titles, columns=3)
    assert [text.get_text() for text in ax.texts] == titles
    for drawn, image in zip(ax.images, images, strict=True):
        pixels = image.transpose(1, 2, 0) if len(shape) == 3 else image
        expected = pixels[..., 0] if shape[0] == 1 else pixels
        assert np.asarray(drawn.get_array()) == pytest.approx(expected / 255)
    corners = [(drawn.get_extent()[0], -drawn.get_extent()[3]) for drawn in ax.images]
    assert len({x for x, _ in corners}) == 3
    assert corners == sorted(corners, key=lambda corner: (corner[1], corner[0]))
    ax.figure.savefig(tmp_path / "gallery.png")


def test_what_is_no_picture_is_said():
    good = np.zeros((3, 4, 4))
    for images, titles, columns, message in (
        ([], None, 6, "images: there are none"),
        ([np.zeros((2, 4, 4))], None, 6, r"images\[0\]: of shape \(2, 4, 4\)"),
        ([good, good + 2], None, 6, r"images\[1\]: float64 outside of 0..1"),
        ([good * np.nan], None, 6, r"images\[0\]: float64 outside"),
        ([good], ["a", "b"], 6, "titles: 2 for 1 images"),
        ([good], None, 0, "columns: 0"),
    ):
        with pytest.raises(curate.CurateError, match=message):
            plot_gallery(images, titles, columns=columns)
