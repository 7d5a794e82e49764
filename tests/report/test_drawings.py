"""Matrices and learning curves: what stands in the drawing, whatever the names and numbers."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.report.charts import svg
from curate.report.charts.curves import Curve, draw_curves
from curate.report.charts.letters import fit, width_of
from curate.report.charts.matrix import Cell, draw_matrix
from curate.report.charts.strips import draw_strips

NAMES = st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=13, unique=True)
WIDTHS = st.sampled_from([320, 700])


def frame(drawing):
    """The parsed drawing and its width and height."""
    root = ET.fromstring(svg.standalone(drawing))
    return root, float(root.get("width")), float(root.get("height"))


@given(NAMES, WIDTHS)
def test_a_matrix_has_every_cell_once_and_inside(names, width):
    def cell(row, column):
        return Cell("", (row + column) / (2 * len(names)), f"{row}|{column}")

    drawing = draw_matrix(names, cell, width, rows="true", columns="named", summary="all")
    root, across, down = frame(drawing)
    tips = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert tips == [f"{i}|{j}" for i in range(len(names)) for j in range(len(names))]
    for box in root.iter("{http://www.w3.org/2000/svg}rect"):
        if box.get("class") == "kept":
            assert 0 <= float(box.get("x")) <= across - float(box.get("width"))
            assert 0 <= float(box.get("y")) <= down - float(box.get("height"))


def test_a_cell_shows_its_words_where_there_is_room():
    def words(names, width):
        drawing = draw_matrix(
            names, lambda i, j: Cell("0.42", 0.5, ""), width, rows="a", columns="b", summary=""
        )
        return drawing.count(">0.42<")

    assert words(["a", "b"], 700) == 4
    assert words([f"source {i}" for i in range(13)], 320) == 0


def test_an_unknown_cell_differs_from_zero():
    def classes(shade):
        drawing = draw_matrix(
            ["a"], lambda i, j: Cell("", shade, ""), 700, rows="a", columns="b", summary=""
        )
        return set(re.findall('class="(unknown|kept)"', drawing))

    assert classes(None) == {"unknown"}
    assert classes(0.0) == {"kept"}


def test_names_are_escaped():
    name = "<script>alert('x')</script>&\u202e"
    curve = Curve(name, [1, 2], [0.1, 0.2], [0.1, 0.2], [0.1, 0.2])
    for drawing in (
        draw_curves([curve, curve], 700, measure=name),
        draw_matrix(
            [name], lambda i, j: Cell(name, 1, name), 700, rows=name, columns="", summary=name
        ),
    ):
        frame(drawing)
        assert "<script" not in drawing
        assert "\u202e" not in drawing


@pytest.mark.parametrize("width", [320, 700])
@pytest.mark.parametrize("count", [1, 4, 13])
def test_curves_stay_inside_and_rise_with_their_values(width, count):
    rng = np.random.default_rng(count)
    sizes = [10, 30, 100, 300, 1000]
    curves = []
    for index in range(count):
        mean = np.sort(rng.uniform(0.1, 0.9, len(sizes)))
        curves.append(Curve(f"source {index}", sizes, mean, mean - 0.05, mean + 0.05))
    root, across, down = frame(draw_curves(curves, width, measure="accuracy", chance=0.1))
    dots = [
        (float(dot.get("cx")), float(dot.get("cy")))
        for dot in root.iter("{http://www.w3.org/2000/svg}circle")
    ]
    assert len(dots) == count * len(sizes)
    assert all(0 <= x <= across and 0 <= y <= down for x, y in dots)
    values = np.concatenate([curve.mean for curve in curves])
    heights = np.array([y for _, y in dots])
    assert np.corrcoef(values, heights)[0, 1] < -0.999  # up is a smaller y
    names = [
        float(text.get("y"))
        for text in root.iter("{http://www.w3.org/2000/svg}text")
        if "name" in text.get("class", "").split()
    ]
    assert len(names) == (count if count > 1 else 0)
    assert min(np.diff(sorted(names)), default=15) > 10


def test_one_size_and_equal_values_draw():
    frame(draw_curves([Curve("a", [10], [0.5], [0.5], [0.5])], 700, measure="accuracy"))


@pytest.mark.parametrize("count", [2, 7, 40])
def test_strips_have_a_row_for_every_source_and_bins_as_high_as_their_shares(count):
    rng = np.random.default_rng(count)
    shares = rng.dirichlet(np.ones(5), count)
    names = [f"source {i} of a rather long name" for i in range(count)]
    drawing = draw_strips(names, [0, 1, 2, 3, 4, 5], shares, 330, title="lightness")
    root, _, down = frame(drawing)
    paths = [
        path
        for path in root.iter("{http://www.w3.org/2000/svg}path")
        if path.get("class", "").startswith("spread")
    ]
    assert len(paths) == count
    for path, own in zip(paths, shares, strict=True):
        base = float(re.match(r"M[\d.]+ ([\d.]+)", path.get("d")).group(1))
        tops = [float(top) for top in re.findall(r"V([\d.]+)h", path.get("d"))]
        heights = base - np.array(tops)
        assert np.allclose(heights / heights.max(), own / own.max(), atol=0.02)
        assert base <= down


@given(st.text(max_size=60), st.floats(20, 300), st.booleans())
def test_what_is_cut_fits_and_keeps_its_ends(words, room, bold):
    short = fit(words, room, bold=bold)
    assert width_of(short, bold=bold) <= room + 1e-9
    if short != words:
        head, _, tail = short.partition("…") if "…" not in words else ("", "", "")
        assert words.startswith(head)
        assert words.endswith(tail)
