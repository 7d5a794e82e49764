"""``croissant.json`` says what lies in the folder."""

import hashlib
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from curate.data import ExampleSet, folder
from curate.exporting import FORMATS, export
from tests.data.pictures import write_folder
from tests.exporting.selections import selection

NAMES = [f"{label}/{number}.png" for label in ("cat", "dog") for number in range(3)]


@pytest.mark.parametrize("format", FORMATS)
def test_every_file_and_column_is_described(tmp_path, format):
    if format == "webdataset":
        pytest.importorskip("webdataset")
    write_folder(tmp_path / "source", NAMES)
    data = folder(tmp_path / "source")
    place = export(data, selection(data.ids, [1, 2, 5], data.labels), tmp_path / "out", format)
    described = json.loads((place / "croissant.json").read_text())
    files = {
        path.relative_to(place).as_posix(): path
        for path in place.rglob("*")
        if path.suffix in (".parquet", ".tar")
    }
    assert files
    assert {entry["@id"] for entry in described["distribution"]} == set(files)
    for entry in described["distribution"]:
        content = files[entry["contentUrl"]].read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["contentSize"] == f"{len(content)} B"
    tables = {name for name in files if name.endswith(".parquet")}
    assert {record["name"] for record in described["recordSet"]} == tables
    for record in described["recordSet"]:
        columns = [field["source"]["extract"]["column"] for field in record["field"]]
        assert columns == pq.read_schema(place / record["name"]).names
        pictures = [f["name"] for f in record["field"] if f["dataType"] == "sc:ImageObject"]
        assert pictures == [name for name in columns if name == "image"]
        assert not any(" " in field["@id"] for field in record["field"])
    listed = {
        entry["path"] for entry in json.loads((place / "provenance.json").read_text())["contents"]
    }
    assert "croissant.json" in listed
    export(
        data, selection(data.ids, [0], data.labels), place, format, overwrite=True
    )  # it is the export's own


def test_columns_without_a_word_for_them_are_left_out(tmp_path):
    data = ExampleSet(
        np.arange(4), np.arange(4) % 2, None, shape=(3,), values=np.zeros((4, 3), np.float32)
    )
    place = export(data, selection(data.ids, [1, 2], data.labels), tmp_path / "out")
    (record,) = json.loads((place / "croissant.json").read_text())["recordSet"]
    assert {field["name"] for field in record["field"]} == {"example_id", "label"}


def test_the_reader_of_mlcommons_opens_it(tmp_path):
    croissant = pytest.importorskip("mlcroissant")
    write_folder(tmp_path / "source", NAMES)
    data = folder(tmp_path / "source")
    place = export(data, selection(data.ids, [1, 2, 5], data.labels), tmp_path / "out")
    rows = list(croissant.Dataset(jsonld=place / "croissant.json").records("records-0"))
    assert len(rows) == 3
