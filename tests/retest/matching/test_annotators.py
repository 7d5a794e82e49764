"""Two annotators: sheets out, answers in, and how far they agree."""

import csv
import re

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from curate import CurateError
from curate.report import write_labelling_sheets
from curate.retest import annotator_agreement, match
from tests.retest.matching.test_match import made


@pytest.fixture
def matched():
    pool, original = made(2000)
    return match(pool, original, n=40)


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_both_sheets_hold_all_in_an_order_of_their_own(matched, tmp_path):
    picture = np.zeros((8, 8, 3), np.uint8)
    paths = write_labelling_sheets(
        tmp_path / "sheets", matched, image=lambda _: picture, class_names=["cat <b>", "dog"]
    )
    sheets = [read(path) for path in paths]
    ids = [[row["example_id"] for row in sheet] for sheet in sheets]
    assert ids[0] != ids[1]
    assert set(ids[0]) == set(ids[1]) == set(map(str, matched.table["example_id"].to_pylist()))
    keyword = {str(row["example_id"]): row["keyword"] for row in matched.table.to_pylist()}
    for sheet in sheets:
        assert [row["position"] for row in sheet] == [str(k) for k in range(1, 41)]
        assert all(row["subclass"] == keyword[row["example_id"]] for row in sheet)
        assert {row["class"] for row in sheet} == {"cat <b>", "dog"}
        assert {row["answer"] for row in sheet} == {""}
    page = paths[0].with_suffix(".html").read_text()
    assert page.count("<img") == 40
    assert "<b>" not in page
    with pytest.raises(CurateError, match=r"annotator_1.csv' is there and may be filled in"):
        write_labelling_sheets(tmp_path / "sheets", matched)


def filled(path, answer):
    rows = read(path)
    for row in rows:
        row["answer"] = answer(int(row["example_id"]))
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_kappa_is_sklearns(matched, tmp_path):
    paths = write_labelling_sheets(tmp_path, matched)
    filled(paths[0], lambda one: "keep" if one % 3 else "drop")
    filled(paths[1], lambda one: "keep" if one % 4 else "dog" if one % 8 else "drop")
    found = annotator_agreement(*paths)
    first, second = (found.table[name].to_pylist() for name in ("first", "second"))
    assert found.kappa[0] == pytest.approx(cohen_kappa_score(first, second))
    assert found.kappa[1] < found.kappa[0] < found.kappa[2]
    same = np.mean([x == y for x, y in zip(first, second, strict=True)])
    assert found.agreement[0] == pytest.approx(same)
    assert len(found.disputed) == round(40 * (1 - same))
    assert "κ" in str(found)
    assert len(repr(found)) < 100


def test_one_answer_throughout_has_no_kappa():
    answers = dict.fromkeys(range(9), "keep")
    found = annotator_agreement(answers, answers)
    assert (found.agreement[0], found.kappa) == (1.0, None)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ({1: "keep"}, {2: "keep"}, "first: example '1' is not on the sheet second"),
        ({}, {}, "first: the sheet has no rows"),
        ("/nowhere.csv", {}, "first: '/nowhere.csv' is no CSV file"),
        ("a,b\n1,2\n", {}, "first: it has no column 'example_id'"),
        ("example_id,answer\n1,keep\n1,drop\n", {}, "first: example '1' is there twice"),
        ("example_id,answer\n1,\n", {}, "first: example '1' has no answer"),
    ],
)
def test_bad_sheets(first, second, said, tmp_path):
    if isinstance(first, str) and "\n" in first:
        (tmp_path / "sheet.csv").write_text(first)
        first = tmp_path / "sheet.csv"
    with pytest.raises(CurateError, match=re.escape(said)):
        annotator_agreement(first, second)
