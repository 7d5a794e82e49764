"""The removal curve and the tables of a search: what stands in them, whatever was found."""

import itertools
import re
import xml.etree.ElementTree as ET

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import curate
from curate.report import curve_svg
from curate.report.search import claims_table, losses_table, points
from tests.report.test_write import HOSTILE, Page, example_table, whole_report

SVG = "{http://www.w3.org/2000/svg}"
TOTAL = 1297


def curve_of(shares, arm="aum", seeds=5, total=TOTAL):
    """A curve that falls as less is kept, random below the score."""
    rows = [("all", total, 0.99)]
    for share in shares:
        size = max(1, round(share * total))
        rows += [(arm, size, 0.99 - 0.02 * (1 - share)), ("random", size, 0.98 - 0.1 * (1 - share))]
    return pa.Table.from_pylist(
        [
            {
                "arm": name,
                "size": size,
                "share": size / total,
                "accuracy": mean,
                "low": mean - 0.004 if seeds > 1 else None,
                "high": mean + 0.004 if seeds > 1 else None,
                "seeds": seeds,
            }
            for name, size, mean in rows
        ]
    )


def claims():
    names = ("as good as all", "random as good as all", "better than random")
    return pa.Table.from_pylist(
        [
            {
                "claim": claim,
                "size": size,
                "loss": 0.002 - 0.01 * (claim == names[2]),
                "bound": 0.007,
                "p_value": 0.01,
                "level": 0.04,
                "shown": size > 300,
                "claimed": size > 300 and claim != names[1],
            }
            for size in (649, 389, 259)
            for claim in names
        ]
    )


def losses(names):
    return pa.Table.from_pylist(
        [
            {"label": i, "name": name, "examples": 50, "loss": 0.01 * i, "low": -0.02, "high": 0.1}
            for i, name in enumerate(names)
        ]
    )


def marks(drawing, kind):
    return [
        one
        for one in ET.fromstring(drawing).iter()
        if kind in (one.get("class") or "").split() and one.tag != f"{SVG}text"
    ]


@given(
    st.lists(st.floats(0.001, 0.95), min_size=1, max_size=6, unique=True),
    st.sampled_from([320, 700]),
    st.text(min_size=1, max_size=60).filter(lambda name: name not in ("all", "random")),
)
def test_every_mean_is_a_dot_inside_the_drawing(shares, width, arm):
    curve = curve_of(shares, arm)
    drawing = curve_svg(curve, width=width)
    root = ET.fromstring(drawing)
    across, down = float(root.get("width")), float(root.get("height"))
    dots = marks(drawing, "dot")
    assert len(dots) == len(curve)
    for dot in dots:
        assert 0 <= float(dot.get("cx")) <= across
        assert 0 <= float(dot.get("cy")) <= down
    for bar in marks(drawing, "whisker"):
        assert 0 <= float(bar.get("y1")) <= float(bar.get("y2")) <= down
    ends = [float(words.get("x")) for words in root.iter(f"{SVG}text") if words.get("class")]
    assert all(0 <= x <= across for x in ends)


@pytest.mark.parametrize("shares", [[0.9, 0.7, 0.5], [0.3, 0.1, 0.02]])
def test_more_is_to_the_right_and_better_is_up(shares):
    curve = curve_of(shares)
    dots = marks(curve_svg(curve), "dot")
    places = {dot[0].text.split(",")[0]: dot for dot in dots}
    assert len(places) == len(curve)
    of_score = [dot for dot in dots if "hue0" in dot.get("class")]
    x = [float(dot.get("cx")) for dot in of_score]
    y = [float(dot.get("cy")) for dot in of_score]
    assert x == sorted(x)
    assert y == sorted(y, reverse=True)  # up is a smaller y


def test_the_axis_is_logarithmic_only_where_it_must_be():
    assert "log scale" not in curve_svg(curve_of([0.9, 0.7, 0.5]))
    assert "log scale" in curve_svg(curve_of([0.3, 0.05]))


def test_the_certified_size_is_filled_in_the_chosen_arm_alone():
    curve = curve_of([0.5, 0.3])
    filled = marks(curve_svg(curve, certified=389), "certified")
    assert [mark[0].text for mark in filled] == [
        "aum: 97.60% (97.20 to 98.00) on 389 examples (30.0%), 5 models"
    ]
    assert "389 of 1,297 certified" in curve_svg(curve, certified=389)
    assert not marks(curve_svg(curve), "certified")


def test_one_model_has_no_interval_and_all_alone_draws():
    assert not marks(curve_svg(curve_of([0.5], seeds=1)), "whisker")
    assert len(marks(curve_svg(curve_of([])), "dot")) == 1
    small = curve_svg(curve_of([0.5], total=2), width=320)
    assert ET.fromstring(small).get("width") == "320"


def test_what_is_no_curve_is_named():
    with pytest.raises(curate.CurateError, match="no 'share'"):
        curve_svg(curve_of([0.5]).drop_columns("share"))
    with pytest.raises(curate.CurateError, match="curve: it has no rows"):
        curve_svg(curve_of([0.5]).slice(0, 0))
    with pytest.raises(curate.CurateError, match="claims: .*no 'level'"):
        claims_table(claims().drop_columns("level"))
    with pytest.raises(curate.CurateError, match="losses: .*no 'low'"):
        losses_table(losses(["a"]).drop_columns("low"))


def test_losses_name_the_worst_first_beside_the_mean():
    table = losses_table(losses(["cat", None, "fish"]))
    assert [row[0] for row in table.rows] == ["Mean", "fish", "1", "cat"]
    assert table.rows[0][2] == "+1.00"
    assert table.rows[1][1:] == ["50", "+2.00", "\u22122.00", "+10.00"]
    assert "nothing is claimed" in table.note
    many = losses_table(losses([f"class {i}" for i in range(1000)]))
    assert len(many.rows) == 101
    assert "The worst 100 of 1,000." in many.note


def test_points_have_no_negative_nothing():
    assert [points(value) for value in (0.0, -0.0, -1e-6, -0.0028)] == [
        "+0.00",
        "+0.00",
        "+0.00",
        "\u22120.28",
    ]


def test_the_report_shows_curve_claims_and_losses(tmp_path):
    table = example_table()
    page = whole_report(
        tmp_path / "r.html",
        table,
        curve=curve_of([0.5, 0.3]),
        claims=claims(),
        losses=losses(["cat", "dog", "fish"]),
    )
    for words in (
        "How small it can get",
        "The removal curve.",
        "The filled dot is the smallest set that is certified.",
        "as good as all 389 +0.20 +0.70 4% yes yes",
        "better than random 259 \u22120.80 +0.70 4% no no",
        "What each class loses",
    ):
        assert words in page.text, words


def test_a_search_that_certified_nothing_is_reported(tmp_path):
    options = {"curve": curve_of([0.9]), "claims": claims().slice(6), "losses": losses(["a"])}
    page = whole_report(
        tmp_path / "r.html", example_table(), selection=None, verdicts=["Nothing."], **options
    )
    assert "No smaller set is certified." in page.text
    bare = whole_report(tmp_path / "b.html", example_table(), selection=None, curve=curve_of([]))
    assert "No smaller set is certified." in bare.text


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_data_is_only_text(tmp_path, text):
    if text != "\ud800":  # Arrow has no lone surrogates
        options = {"curve": curve_of([0.5], arm=text), "losses": losses([text, "b"])}
        page = whole_report(tmp_path / "r.html", example_table(), **options)
        assert [tag for tag, _ in page.tags].count("script") == 2
        assert "alert(1)" not in "".join(page.scripts)
        raw = (tmp_path / "r.html").read_bytes()
        assert "\u202e".encode() not in raw
        assert len(raw) < 1_000_000


def test_no_two_names_of_the_legend_cover_each_other():
    for width in (320, 480, 700):
        drawing = ET.fromstring(curve_svg(curve_of([0.5], arm="dual-beta" * 3), width=width))
        names = [
            (float(text.get("y")), float(text.get("x")), text.text)
            for text in drawing.iter(f"{SVG}text")
            if "name" in (text.get("class") or "").split()
        ]
        assert len(names) == 3
        for (y, x, words), (next_y, next_x, _) in itertools.pairwise(names):
            assert next_y > y or next_x > x + 6 * len(words)


def test_marks_of_the_axes_read_apart():
    for spread in np.geomspace(0.0005, 0.4, 12):
        curve = curve_of([0.5, 0.3])
        scaled = 0.5 + spread * (curve["accuracy"].to_numpy() - 0.9)
        at = curve.column_names.index("accuracy")
        curve = curve.set_column(at, "accuracy", pa.array(scaled))
        for name, change in (("low", -spread / 30), ("high", spread / 30)):
            at = curve.column_names.index(name)
            curve = curve.set_column(at, name, pa.array(scaled + change))
        labels = re.findall(r'text-anchor="end">([\d.]+%)</text>', curve_svg(curve))
        assert len(set(labels)) == len(labels)


def test_page_reads_without_search(tmp_path):
    page = whole_report(tmp_path / "r.html", example_table())
    assert isinstance(page, Page)
    assert "How small it can get" not in page.text
