import errno
import json
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.utils.data import TensorDataset

from curate import table as tables
from curate.data import ExampleSet, fingerprint, folder, load, with_ids
from curate.exporting import FORMATS, export
from tests.data.pictures import encoded, pixels
from tests.exporting.selections import selection
from tests.exporting.test_names import ANY_TEXT, NASTY

datasets = pytest.importorskip("datasets")
resource = pytest.importorskip("resource")  # not on Windows
FORMAT_NAMES = sorted(FORMATS)


def noise(count=8, classes=("a", "b")):
    values = torch.from_numpy(np.stack([pixels(n, 8, 8).transpose(2, 0, 1) for n in range(count)]))
    labels = np.arange(count) % len(classes)
    return ExampleSet(np.arange(count), labels, classes, shape=(3, 8, 8), values=values)


@pytest.mark.parametrize("format", FORMAT_NAMES)
def test_the_provenance_tells_where_it_comes_from(tmp_path, format):
    data = noise()
    select = selection(data.ids, [0, 3, 4], data.labels, seed=7)
    select.table = tables.annotate(select.table, fingerprint=fingerprint(data))
    place = export(data, select, tmp_path / "out", format)
    told = json.loads((place / "provenance.json").read_text())
    assert told["source"] == {
        "type": "Loaded",
        "fingerprint": fingerprint(data),
        "fingerprint_when_recorded": fingerprint(data),
    }
    assert told["policy"] == select.policy
    assert told["table_checksum"] == select.policy["table_checksum"]
    assert told["seeds"] == [7]
    assert told["counts"] == {"total": 8, "kept": 3, "removed": 5}
    assert told["versions"]["torch"] == torch.__version__.split("+")[0]
    assert {"curate", "datasets", "python", "pyarrow"} <= told["versions"].keys()
    files = {file.relative_to(place).as_posix() for file in place.rglob("*") if file.is_file()}
    indexed = set()
    if format == "imagefolder":
        indexed = set(pq.read_table(place / "metadata.parquet")["file_name"].to_pylist())
    assert {entry["path"] for entry in told["contents"]} == files - indexed
    assert len(told["contents"]) == len(files) - len(indexed)
    assert str(tmp_path) not in (place / "provenance.json").read_text()


@pytest.mark.parametrize("format", FORMAT_NAMES)
def test_the_card_is_one_that_the_hub_takes(tmp_path, format):
    from huggingface_hub import DatasetCard

    data = noise()
    place = export(data, selection(data.ids, [0, 3, 4], data.labels), tmp_path / "out", format)
    card = DatasetCard.load(place / "README.md")
    told = card.data.to_dict()
    assert told["size_categories"] == ["n<1K"]
    assert "license" not in told
    assert "3 of 8 examples" in card.text
    assert "| a | 4 | 2 | 50.0% |" in card.text
    assert "| b | 4 | 1 | 25.0% |" in card.text
    [config] = told["configs"]
    pattern = config["data_files"][0]["path"]
    assert list(place.glob(pattern))
    assert str(tmp_path) not in card.text


def test_class_names_cannot_break_the_card(tmp_path):
    classes = ["<script>alert(1)</script>", "a | b\n## c", "---\nlicense: mit\n---", "x" * 500]
    data = noise(8, classes)
    place = export(data, selection(data.ids, range(8), data.labels), tmp_path / "out")
    text = (place / "README.md").read_text()
    assert "<script>" not in text
    assert text.count("\n## ") == 2
    rows = [line for line in text.splitlines() if line.startswith("| ") and "2 | 2" in line]
    assert len(rows) == 4
    assert all(line.replace("\\|", "").count("|") == 5 for line in rows)
    assert max(map(len, rows)) < 250
    front = text.split("---\n")[1]
    assert "license" not in front


def test_two_exports_of_one_name_are_not_mixed_up_by_a_cache(tmp_path):
    """datasets caches local folders with a card by their name alone."""
    data = noise()
    first = export(data, selection(data.ids, [0, 1]), tmp_path / "a" / "pruned")
    assert datasets.load_dataset(str(first), split="train")["example_id"][:] == [0, 1]
    second = export(data, selection(data.ids, [2, 3]), tmp_path / "b" / "pruned")
    assert datasets.load_dataset(str(second), split="train")["example_id"][:] == [2, 3]
    export(data, selection(data.ids, [4, 5]), second, overwrite=True)
    assert datasets.load_dataset(str(second), split="train")["example_id"][:] == [4, 5]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(ANY_TEXT | NASTY, min_size=2, max_size=5, unique=True),
    st.lists((ANY_TEXT | NASTY).filter(str.isprintable), min_size=4, max_size=9, unique=True),
)
def test_no_class_name_or_id_leads_out_of_the_folder(tmp_path_factory, classes, ids):
    outside = tmp_path_factory.mktemp("outside")
    count = len(ids)
    contents = [encoded(pixels(n)) for n in range(count)]
    labels = np.arange(count) % len(classes)
    data = ExampleSet(ids, labels, classes, shape=(3, 8, 8), encoded=contents)
    select = selection(ids, range(count), labels)
    place = export(data, select, outside / "deep" / "out", "imagefolder")
    assert os.listdir(outside) == ["deep"]
    assert os.listdir(outside / "deep") == ["out"]
    index = pq.read_table(place / "metadata.parquet").to_pylist()
    assert [row["example_id"] for row in index] == ids
    files = {file.resolve() for file in place.rglob("*") if file.is_file()}
    assert len(files) == count + 4  # card, index, provenance, croissant.json
    assert all(file.is_relative_to(place.resolve()) for file in files)
    for row, content in zip(index, contents, strict=True):
        assert row["file_name"].count("/") == 1
        assert (place / row["file_name"]).read_bytes() == content
    again = folder(place)  # every class has a folder, in order of its name
    assert len(again) == count
    assert len(again.class_names) == len(classes)


class Failing(TensorDataset):
    """Once armed, breaks at its sixth example, but not while its content is hashed."""

    armed, fetched = False, 0

    def __getitem__(self, index):
        if index == 5 and self.armed:
            self.fetched += 1
            if self.fetched % 2 == 0:
                raise RuntimeError("a broken disk")
        return super().__getitem__(index)


@pytest.mark.parametrize("format", ["huggingface", "parquet", "imagefolder", "webdataset"])
def test_an_error_midway_leaves_nothing_and_an_earlier_export_alone(tmp_path, format, monkeypatch):
    pixel_values = torch.zeros(8, 3, 4, 4, dtype=torch.uint8)
    inner = Failing(pixel_values, torch.arange(8) % 2)
    data = with_ids(inner)
    select = selection(range(8), range(8))
    monkeypatch.setattr("curate.exporting.arrow._ROWS", 2)
    monkeypatch.setattr("curate.exporting.arrow._MOST_ROWS", 2)
    place = export(data, select, tmp_path / "old", format)
    before = {file: file.read_bytes() for file in place.rglob("*") if file.is_file()}
    inner.armed = True
    for target in ("old", "new"):
        with pytest.raises(RuntimeError, match="a broken disk"):
            export(data, select, tmp_path / target, format, overwrite=True)
    assert os.listdir(tmp_path) == ["old"]
    assert {file: file.read_bytes() for file in place.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize("format", FORMAT_NAMES)
def test_a_full_disk_leaves_nothing(tmp_path, format):
    count = 2000 if format == "indices" else 60
    data = noise(count)
    select = selection(data.ids, range(count))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # files may not grow beyond 150 bytes (a picture) or 6,000 (a table): the write fails as on
    # a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (150 if format == "imagefolder" else 6_000, hard))
    try:
        with pytest.raises(OSError, match="untouched") as caught:
            export(data, select, tmp_path / "out", format)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno in (errno.EFBIG, None)  # numpy gives none
    assert os.listdir(tmp_path) == []


STREAM = """
import resource, shutil, sys
from pathlib import Path
import numpy as np
import curate.data as data
from curate.exporting import export
from tests.data.pictures import encoded, pixels
from tests.exporting.selections import selection

class Generated:
    # pictures of 200 kB that exist only while they are looked at
    start = encoded(pixels(0))
    def __init__(self, count): self.count = count
    def __len__(self): return self.count
    def __getitem__(self, row): return self.start + np.random.default_rng(row).bytes(200_000)

def peak(count, format):
    made = data.ExampleSet(np.arange(count), np.zeros(count), ["a"], shape=(3, 8, 8),
                       encoded=Generated(count))
    place = Path(sys.argv[1]) / format
    shutil.rmtree(export(made, selection(made.ids, range(count)), place, format))
    unit = 2**20 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit

formats = sys.argv[2:]
before = peak(1, formats[0])
for format in formats: print(format, peak(800, format) - before)
"""


def test_memory_does_not_grow_with_the_data_set(tmp_path):
    """Writing 160 MB of pictures takes the memory of a row group, about 32 MB, not of all."""
    formats = ["huggingface", "parquet", "imagefolder", "webdataset"]
    done = subprocess.run(
        [sys.executable, "-c", STREAM, str(tmp_path), *formats],
        check=True,
        capture_output=True,
        text=True,
    )
    grown = dict(line.split() for line in done.stdout.splitlines())
    assert grown.keys() == set(formats)
    assert all(float(megabytes) < 60 for megabytes in grown.values()), grown


def test_a_bar_is_shown_on_a_terminal_only(tmp_path, capfd, monkeypatch):
    data = noise()
    export(data, selection(data.ids, [0]), tmp_path / "out")
    assert capfd.readouterr() == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes anything for a terminal
    export(data, selection(data.ids, [0, 1]), tmp_path / "other", "webdataset")
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "exporting" in shown.err
    assert "2/2" in shown.err


def test_the_digits_from_training_to_disk(tmp_path):
    from curate.pruning import prune

    data = load("digits")
    rng = np.random.default_rng(0)
    counts = {
        name: pa.array(rng.integers(1, 5, len(data)), pa.int32())
        for name in ("presentations", "forgetting_events", "first_learned")
    }
    table = pa.table({"example_id": data.ids, "label": data.labels, **counts})
    chosen = prune(table, keep=0.7, by="forgetting")
    rows = datasets.load_dataset(str(export(data, chosen, tmp_path / "out")), split="train")
    assert rows["example_id"][:] == chosen.kept_ids.to_pylist()
