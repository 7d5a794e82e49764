"""Looks at a test set are counted in the folder, in their order."""

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

import curate
from curate.experiment.search.looks import Look, take_look
from curate.stats import look_level


@given(st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from("pqrst")), max_size=12))
def test_looks_are_numbered_in_their_order_and_the_same_plan_is_the_same_look(
    tmp_path_factory, asked
):
    folder = tmp_path_factory.mktemp("looks") / "new"
    plans = {"A": [], "B": []}
    for content, plan in asked:
        if plan not in plans[content]:
            plans[content].append(plan)
        number = plans[content].index(plan) + 1
        assert take_look(folder, content, plan) == Look(number, look_level(number))
    levels = [look_level(number + 1) for number in range(len(plans["A"]))]
    assert sum(levels) <= 0.05


def test_without_a_folder_every_look_is_the_first():
    assert [take_look(None, "A", plan).number for plan in "pq"] == [1, 1]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b'{"A": ["p"]', b"null", b"[]", b"5", b'"A"', b'{"A": null}', b'{"A": "p"}',
        b'{"A": {"p": 1}}', b"\xff\xfe\x00", b"[" * 100_000, b'{"A": 3}',
    ],
)  # fmt: skip
def test_a_torn_file_is_an_error_that_changes_nothing(tmp_path, content):
    (tmp_path / "looks.json").write_bytes(content)
    with pytest.raises(curate.CurateError, match=r"folder: '.*looks\.json' is torn"):
        take_look(tmp_path, "A", "p")
    assert (tmp_path / "looks.json").read_bytes() == content


def test_what_others_wrote_beside_is_kept(tmp_path):
    (tmp_path / "looks.json").write_text('{"B": 5, "A": ["other"]}')
    assert take_look(tmp_path, "A", "p").number == 2
    kept = json.loads((tmp_path / "looks.json").read_text())
    assert kept == {"B": 5, "A": ["other", "p"]}


def _take(folder, number):
    return take_look(folder, "test set", f"plan {number}").number


def test_searches_at_once_in_one_folder_lose_no_look(tmp_path):
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as processes:
        numbers = list(processes.map(_take, [tmp_path] * 40, range(40)))
    assert sorted(numbers) == list(range(1, 41))
