import numpy as np
import pytest
import torch

import curate
from curate.data import ExampleSet
from curate.errors import CurateError
from curate.report import save_audit
from curate.retest import audit_split

from ..duplicates.test_near_duplicates import pictures


def labelled(images, labels):
    return ExampleSet(
        np.arange(len(images)) + 1000, labels, ["cat", "dog"], shape=(3, 32, 32), values=images
    )


@pytest.fixture(scope="module")
def sets():
    train, test = pictures(120, 0), pictures(60, 1)
    test[0], test[1], test[3] = train[5], train[6], test[2]
    train[50] = train[9]
    labels = np.arange(120) % 2, np.arange(60) % 2
    labels[1][0] = 1 - labels[0][5]
    labels[1][1] = labels[0][6]
    labels[1][3] = labels[1][2]
    labels[0][50] = labels[0][9]
    return labelled(train, labels[0]), labelled(test, labels[1])


@pytest.fixture(scope="module")
def audited(sets):
    return audit_split(*sets)


def test_what_is_wrong_is_named(audited):
    assert audited.problems == (
        "2 of 60 test images (3.33%) have a copy in the training set.",
        "1 test images are copies of other test images.",
        "1 pairs of copies have different labels.",
    )
    assert not audited.passed
    assert "2 leaks" in repr(audited)
    assert "1 of 120 training images are copies" in str(audited)
    conflict = audited.label_conflicts.to_pylist()[0]
    assert (conflict["set"], conflict["example_id"], conflict["neighbour_id"]) == (
        "both", "1000", "1005",
    )  # fmt: skip


def test_columns_have_copies_in_both_sets(audited):
    columns = audited.columns("train").to_pydict()
    assert [i for i, value in enumerate(columns["nearest_test"]) if value is not None] == [5, 6]
    assert columns["duplicate_of"][50] == 1009
    assert columns["duplicate_probability"][50] == 1


def test_a_repaired_split_has_no_copies(audited, sets, tmp_path):
    train, test = audited.repaired()
    assert (len(train), len(test)) == (117, 59)
    assert train.table["reason"].to_pylist()[5] == "removed: a copy of another example"
    assert [len(each) for each in audited.repaired("train")] == [119, 57]
    curate.export(sets[0], train, tmp_path / "train", "parquet")
    again = audit_split(curate.data.parquet(tmp_path / "train"), test=pictures(60, 1)[2:])
    assert again.leaks.pairs.num_rows == 0
    with pytest.raises(CurateError, match="keep: 'both'; give 'test' or 'train'"):
        audited.repaired("both")


def test_the_report_shows_the_pairs(audited, sets, tmp_path):
    views = tuple(curate.data.open_view(each) for each in sets)
    page = save_audit(tmp_path, audited, views, title="cats & dogs")
    text = page.read_text()
    assert text.count("data:image/png") == 2 * (2 + 1 + 1)
    assert "cats &amp; dogs" in text
    assert {path.name for path in tmp_path.glob("*.parquet")} >= {"train.parquet", "leaks.parquet"}


def test_no_copies_pass():
    found = audit_split(pictures(100, 3), pictures(50, 4))
    assert found.passed, found.problems
    assert torch.equal(pictures(5, 3), pictures(5, 3))
    assert str(found).startswith("No problem was found.")
