"""Arguments of the wrong kind end in one sentence that names the parameter."""

import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import curate
from curate.data import fingerprint, folder, held_out, load, open_view, parquet, tokenize, with_ids
from curate.errors import CurateError
from curate.table import hash_ids, metadata
from tests.data.pictures import write_folder

datasets = pytest.importorskip("datasets")
ODD = [None, 5, -1, 2.5, "", "nonsense", [], {}, object(), b"x", True, (0, 0), (1, 2, 3), np.nan]

GOOD_IDS = {
    "negative strides": np.arange(3)[::-1],
    "big-endian": np.arange(3, dtype=">i8"),
    "narrow": torch.arange(3).to(torch.int32),
    "generator": (number for number in range(3)),
    "numpy text": np.array(["a", "b", "c"]),
    "series": pd.Series([3, 4, 5]),
    "text series": pd.Series(["a", "b", "c"]),
    "chunks": pa.chunked_array([[1], [2, 3]]),
}
BAD_IDS = {
    "floats": [1.0, 2.0, 3.0],
    "nested": [[1], [2], [3]],
    "set": {1, 2, 3},
    "mapping": {1: 1, 2: 2, 3: 3},
    "nulls": [None] * 3,
    "text": "abc",
    "two axes": np.zeros((3, 1), int),
    "huge": [2**64, 1, 2],
    "booleans": [True, False, True],
    "bytes": [b"a", b"b", b"c"],
    "dates": [datetime.date(2020, 1, day) for day in (1, 2, 3)],
    "no text": ["\ud800", "b", "c"],
    "number": 3,
    "table": pa.table({"a": [1, 2, 3]}),
    "mixed": np.array([1, "a", None], object),
    "unsigned": np.array([2**63 + 1, 1, 2], np.uint64),
}


@pytest.mark.parametrize("kind", ["torch", "hugging face"])
def test_ids(kind):
    def wrap(ids):
        if kind == "torch":
            return with_ids(torch.utils.data.TensorDataset(torch.zeros(3)), ids)
        return with_ids(datasets.Dataset.from_dict({"x": [1, 2, 3]}), ids)

    for name, ids in GOOD_IDS.items():
        if name != "generator":
            assert len(wrap(ids)) == 3
    for name, ids in BAD_IDS.items():
        with pytest.raises(CurateError, match="ids: ") as caught:
            wrap(ids)
        assert len(str(caught.value).splitlines()) == 1, name


@pytest.mark.parametrize("odd", [None, 5, dict, iter([]), object(), pd.DataFrame({"a": [1]})])
def test_data_sets(odd):
    for call in (with_ids, open_view, fingerprint):
        with pytest.raises(CurateError, match="dataset: "):
            call(odd)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    place = tmp_path_factory.mktemp("places")
    write_folder(place / "f", [f"{label}/{n}.png" for label in "ab" for n in range(4)])
    table = pa.table({"features": [[1.0, 2.0]] * 8, "label": [0, 1] * 4})
    pq.write_table(table, place / "t.parquet")
    return place


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd).partition(" at 0x")[0])
def test_options(places, odd):
    images, table = places / "f", places / "t.parquet"
    digits = load("digits", "test")
    calls = {
        "split": [lambda: load(images, odd)],
        "size": [lambda: folder(images, size=odd)],
        "column": [lambda: parquet(table, column=odd)],
        "label_column": [lambda: parquet(table, label_column=odd)],
        "id_column": [lambda: parquet(table, id_column=odd)],
        "errors": [lambda: folder(images, errors=odd), lambda: parquet(table, errors=odd)],
        "root": [lambda: load("mnist", root=odd)],
        "path": [lambda: load("mnist", root=odd)],
        "selection": [lambda: curate.export(digits, odd, places / "out")],
        "format": [lambda: curate.export(digits, None, places / "out", odd)],
        "tables": [lambda: curate.merge(odd)],
        "seed": [lambda: hash_ids(np.arange(3), seed=odd)],
        "purpose": [lambda: hash_ids(np.arange(3), purpose=odd)],
        "example_id": [lambda: hash_ids(odd)],
        "count": [lambda: held_out(np.array([0, 1]), np.array([0, 1]), odd)],
        "length": [lambda: tokenize(["a"], odd)],
    }
    if odd is None:  # the default
        for name in ("size", "column", "label_column", "id_column", "root", "path"):
            del calls[name]
    fine = {"size": (5, True), "seed": (5, -1, True), "count": (5,), "length": (5,)}
    for name, made in calls.items():
        if any(odd is one for one in fine.get(name, ())):
            continue
        other = "root" if name == "path" else "path" if name == "root" else name
        for call in made:
            with pytest.raises(CurateError, match=f"^({name}|{other}):"):
                call()
    for split in (lambda: parquet(table, split=odd), lambda: folder(images, split=odd)):
        if odd is not None:
            with pytest.raises(CurateError, match="^split:"):
                split()
    assert metadata(odd) == {}
