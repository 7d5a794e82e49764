"""The report on a game: its size, its parts, and that what it lists is what was found."""

import json

import numpy as np
import pytest

from tests.report.pages import HOSTILE, identify_page, picture
from tests.report.test_write import Page


def test_forty_sources_of_noise_stay_under_five_megabytes(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (120, 160, 3), dtype=np.uint8)
    monkeypatch.setattr("tests.report.pages.picture", lambda key: noise)
    names = [f"a_source_with_a_name_of_some_length_{i}" for i in range(40)]
    identify_page(tmp_path / "r.html", names, lambda name, row: f"{name}/{'x' * 100}/{row}")
    assert (tmp_path / "r.html").stat().st_size < 5_000_000
    assert picture("any").dtype == np.uint8


def test_every_part_is_in_the_contents_and_every_card_has_its_row(tmp_path):
    names = ["one", "two", "three"]
    found = identify_page(tmp_path / "r.html", names)
    page = Page(tmp_path / "r.html")
    anchors = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    links = [a["href"][1:] for tag, a in page.tags if tag == "a" and "href" in a]
    assert set(links) <= anchors
    sections = [a["id"] for tag, a in page.tags if tag == "section"]
    assert [link for link in links if link in sections] == sections  # the contents, in order
    rows = [json.loads(a["data-id"]) for tag, a in page.tags if tag == "tr" and "data-id" in a]
    known = set(
        zip(
            found.probabilities["source"].to_pylist(),
            found.probabilities["example_id"].to_pylist(),
            strict=True,
        )
    )
    assert {(row["source"], row["example_id"]) for row in rows} <= known
    cards = [a for tag, a in page.tags if tag == "li" and "data-row" in a]
    assert {int(a["data-row"]) for a in cards} == set(range(len(rows)))
    assert "property 3, 0 to 255" in page.text
    assert "Causes by pair." in page.text
    assert "In short." in page.text


@pytest.mark.parametrize("text", HOSTILE)
def test_names_from_data_are_only_text(tmp_path, text):
    calm = ["one", "two"]
    identify_page(tmp_path / "calm.html", calm, lambda name, row: f"{name}{row}")
    identify_page(tmp_path / "r.html", [text, "two"], lambda name, row: f"{text}{row}")
    page, other = Page(tmp_path / "r.html"), Page(tmp_path / "calm.html")
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in other.tags}
    assert {a for _, found in page.tags for a in found} == {
        a for _, found in other.tags for a in found
    }
    assert "struck" not in "".join(page.scripts)
