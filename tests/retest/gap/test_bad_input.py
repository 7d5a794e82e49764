"""Predictions that cannot be used end in one sentence that says how to fix it."""

import re

import numpy as np
import pyarrow as pa
import pytest

from curate import CurateError
from curate.retest import accuracy_gap
from tests.retest.worlds import predictions

OLD = predictions([0.7, 0.8, 0.9], 200, 1)
NEW = predictions([0.6, 0.7, 0.8], 100, 2)


def with_column(table, name, values):
    position = table.column_names.index(name)
    return table.set_column(position, name, pa.array(values))


LABELS = NEW["label"].to_pylist()
CASES = {
    "no table": (3, "new: a int"),
    "no file": ("/nowhere/at_all.parquet", "new: there is no file"),
    "no rows": (NEW.slice(0, 0), "new: it has no rows"),
    "no label": (NEW.drop_columns(["label"]), "new: it has no column 'label'"),
    "no model": (NEW.select(["image", "label"]), "new: no column of integers"),
    "other models": (
        NEW.rename_columns(["image", "label", "a", "b", "c"]),
        "new: no model is in both sets",
    ),
    "one model": (NEW.select(["label", "model_01"]), "one model in both sets, 'model_01'"),
    "a missing label": (
        with_column(NEW, "label", [None, *LABELS[1:]]),
        "label in row 0 is missing",
    ),
    "an unknown label": (with_column(NEW, "label", [-1, *LABELS[1:]]), "label in row 0 is -1"),
    "a class too many": (with_column(NEW, "label", [99, *LABELS[1:]]), "original: class 99"),
    "labels in words": (with_column(NEW, "label", list(map(str, LABELS))), "of type string"),
    "a missing prediction": (
        with_column(NEW, "model_01", [*LABELS[:-1], None]),
        "'model_01' in row 99 is missing",
    ),
    "an image twice": (with_column(NEW, "image", ["a", *"a" * 99]), "image 'a' is there twice"),
    "a nameless image": (with_column(NEW, "image", [None, *("b" * 99)]), "'image' is missing"),
    "itself": (OLD, "new: the same images as original"),
    "itself, shuffled": (OLD.take(np.random.default_rng(0).permutation(200)), "the same images"),
    "other lengths": (
        {"label": np.zeros(5, int), "model_00": np.zeros(4, int)},
        "'model_00' has the shape (4,)",
    ),
    "two columns of a name": (
        pa.table([NEW["label"], NEW["model_00"], NEW["model_00"]], names=["label", "a", "a"]),
        "two columns are called 'a'",
    ),
    "an empty class": (
        NEW.filter(pa.compute.not_equal(NEW["label"], 3)),
        "new: class 3 has no image in it; give classes='shared'",
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore::curate.errors.CurateWarning")
def test_bad_predictions(case):
    given, said = CASES[case]
    with pytest.raises(CurateError, match=re.escape(said)) as caught:
        accuracy_gap(OLD, given, resamples=100)
    assert "\n" not in str(caught.value)


OPTIONS = [
    ({"rename": {"x": "y"}}, "rename: 'x' and 'y'"),
    ({"rename": {"model_00": "model_01"}}, "rename: two models of new would be 'model_01'"),
    ({"classes": "some"}, "classes: 'some'"),
    ({"classes": []}, "classes: []"),
    ({"classes": [0, 77]}, "original: class 77 has no image"),
    ({"mix": "old"}, "mix: 'old'"),
    ({"mix": {0: 1.0}}, "mix: it names no share of class 1"),
    ({"mix": dict.fromkeys(range(11), 1.0)}, "mix: class 10 has no image in original"),
    ({"mix": {0: -1.0}}, "mix: class 0 has the share -1.0"),
    ({"mix": {}}, "mix: {}"),
    ({"resamples": 5}, "resamples: 5"),
    ({"seed": -1}, "seed: -1"),
]


@pytest.mark.parametrize(("options", "said"), OPTIONS, ids=[said for _, said in OPTIONS])
def test_bad_options(options, said):
    with pytest.raises(CurateError, match=re.escape(said)):
        accuracy_gap(OLD, NEW, **options)


def test_a_torn_file_is_named(tmp_path):
    place = tmp_path / "torn.parquet"
    place.write_bytes(b"PAR1 nothing")
    with pytest.raises(CurateError, match="new: .*torn.parquet' is not a whole Parquet file"):
        accuracy_gap(OLD, place)


def test_numbers_that_are_no_integers_are_left_out_with_a_word():
    given = NEW.append_column("confidence", pa.array(np.random.default_rng(0).random(100)))
    with pytest.warns(UserWarning, match=r"new: \['confidence'\] are no integers"):
        assert accuracy_gap(OLD, given, resamples=100).models[0] == "model_02"
