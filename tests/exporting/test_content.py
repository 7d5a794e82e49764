"""What an export is called: other content, of any column or class name, has another name."""

import datetime
import decimal
import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import curate
from curate.data import fingerprint, parquet, with_ids
from curate.errors import CurateError
from tests.data.pictures import encoded, pixels
from tests.exporting.selections import selection

datasets = pytest.importorskip("datasets")
IMAGES = [encoded(pixels(number)) for number in range(6)]


def table(tmp_path, **columns):
    pq.write_table(pa.table({"label": [0, 1] * 3, **columns}), tmp_path / "t.parquet")
    return parquet(tmp_path / "t.parquet", column=next(iter(columns)))


INPUTS = {
    "images": {"image": IMAGES},
    "features": {"features": [[float(n), 1.0] for n in range(6)]},
    "texts": {"text": [f"text {n}" for n in range(6)]},
}
CHANGES = [
    (["old"] * 6, ["new"] * 6),
    (["old"] * 6, ["old"] * 5 + [None]),
    (list(range(6)), [0, 1, 2, 3, 5, 4]),
    ([[1], [2]] * 3, [[1], [2, 2]] * 3),
    ([{"x": 1}] * 6, [{"x": 2}] * 6),
    ([b"a"] * 6, [b"b"] * 6),
]


@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_a_changed_column_is_read_back_changed(tmp_path, inputs, old, new):
    prints, read = [], []
    for values in (old, new):
        data = table(tmp_path, **INPUTS[inputs], other=values)
        prints.append(fingerprint(data))
        chosen = selection(data.ids, [0, 2, 5])
        place = curate.export(data, chosen, tmp_path / "out", overwrite=True)
        read.append(datasets.load_dataset(str(place), split="train")["other"][:])
    assert prints[0] != prints[1]
    assert read == [[old[row] for row in (0, 2, 5)], [new[row] for row in (0, 2, 5)]]
    bare = table(tmp_path, **INPUTS[inputs])
    assert fingerprint(bare) not in prints


def test_other_class_names_are_read_back_too(tmp_path):
    for names in (["cat", "dog"], ["dog", "cat"], ["cat", "dog", "emu"]):
        features = datasets.Features(
            {"image": datasets.Image(), "label": datasets.ClassLabel(names=names)}
        )
        rows = datasets.Dataset.from_dict(
            {
                "image": [{"bytes": content, "path": None} for content in IMAGES],
                "label": [0, 1] * 3,
            },
            features=features,
        )
        rows.to_parquet(tmp_path / "t.parquet")
        for data in (with_ids(rows), parquet(tmp_path / "t.parquet")):
            place = curate.export(data, selection(range(6), [1, 2]), tmp_path / "o", overwrite=True)
            kept = datasets.load_dataset(str(place), split="train")
            assert kept.features["label"].names == names
    for names in (["a", "b"], ["c", "d"]):

        class Named(list):
            classes = names

        samples = Named((np.full((4, 4), n, np.uint8), n % 2) for n in range(6))
        place = curate.export(
            with_ids(samples), selection(range(6), [1, 2]), tmp_path / "p", overwrite=True
        )
        kept = datasets.load_dataset(str(place), split="train")
        assert kept.features["label"].names == names


@pytest.mark.parametrize("format", ["huggingface", "indices"])
def test_another_data_set_with_the_same_ids_is_refused(tmp_path, format):
    recorded = table(tmp_path, **INPUTS["features"])
    counts = pa.array([3] * 6, pa.int32())
    rows = pa.table(
        {
            "example_id": range(6),
            "label": [0, 1] * 3,
            "presentations": counts,
            "forgetting_events": pa.array(range(6), pa.int32()),
            "first_learned": counts,
        }
    )
    rows = curate.table.annotate(rows, fingerprint=fingerprint(recorded))
    chosen = curate.prune(rows, 0.5)
    curate.export(recorded, chosen, tmp_path / "out", format)
    other = table(tmp_path, features=[[0.0, 0.0]] * 6)
    with pytest.raises(CurateError, match=r"made for a data set with the fingerprint sha256:"):
        curate.export(other, chosen, tmp_path / "other", format)
    assert sorted(os.listdir(tmp_path)) == ["out", "t.parquet"]
    chosen.table = curate.table.annotate(chosen.table, fingerprint=None)
    curate.export(other, chosen, tmp_path / "other", format)


LABELS = [
    ([n / 2 for n in range(6)], [n / 2 for n in range(6)]),
    ([decimal.Decimal("1.5")] * 6, [1.5] * 6),
    ([decimal.Decimal("0.1")] * 6, ["0.1"] * 6),
    (
        [datetime.date(2020, 1, 1 + n) for n in range(6)],
        [f"2020-01-0{1 + n}" for n in range(6)],
    ),
    ([datetime.datetime(2020, 1, 1, 3 + n) for n in range(6)], None),
    ([datetime.time(3 + n) for n in range(6)], [f"0{3 + n}:00:00" for n in range(6)]),
    ([[0, n] for n in range(6)], [[0, n] for n in range(6)]),
    ([None, 0.5] * 3, [None, 0.5] * 3),
    ([{"x": n} for n in range(6)], [{"x": n} for n in range(6)]),
]


@pytest.mark.parametrize(("labels", "wanted"), LABELS)
def test_webdataset_keeps_labels_of_every_kind(tmp_path, labels, wanted):
    webdataset = pytest.importorskip("webdataset")
    images = [{"bytes": content, "path": None} for content in IMAGES]
    rows = datasets.Dataset.from_dict({"image": images, "label": labels})
    data = with_ids(rows.cast_column("image", datasets.Image()))
    place = curate.export(data, selection(range(6), [1, 4]), tmp_path / "out", "webdataset")
    read = webdataset.WebDataset(str(place / "train-000000.tar"), shardshuffle=False)
    told = [json.loads(sample["json"]) for sample in read]
    if wanted is None:
        wanted = [label.isoformat() for label in labels]
    assert told == [{"example_id": n, "label": wanted[n]} for n in (1, 4)]


def test_webdataset_labels_that_are_true_or_false_are_class_indices(tmp_path):
    webdataset = pytest.importorskip("webdataset")
    samples = [(pixels(n), n > 2) for n in range(6)]
    place = curate.export(
        with_ids(samples), selection(range(6), [1, 4]), tmp_path / "out", "webdataset"
    )
    read = webdataset.WebDataset(str(place / "train-000000.tar"), shardshuffle=False)
    assert [sample["cls"] for sample in read] == [b"0", b"1"]
