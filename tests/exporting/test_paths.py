"""Files that the rows of a stranger's table point at are no part of the set, at any door."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import curate
from curate.bias import as_sources
from curate.data import fingerprint, load, parquet, with_ids
from curate.errors import CurateError
from tests.data.pictures import encoded, pixels, write_folder
from tests.exporting.selections import selection

datasets = pytest.importorskip("datasets")
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.fixture
def private(tmp_path):
    place = tmp_path / "home" / "private.png"
    place.parent.mkdir()
    place.write_bytes(encoded(pixels(99)))
    return place


def write(tmp_path, path, *, column="image", kind=IMAGE):
    """A stranger's table of ten images in a folder; the last one points at ``path``."""
    cells = [{"bytes": encoded(pixels(n)), "path": None} for n in range(10)]
    pointing = [*cells[:9], {"bytes": None, "path": str(path)}]
    columns = {"image": pa.array(cells, IMAGE), "label": pa.array([0, 1] * 5)}
    if kind == IMAGE:
        columns[column] = pa.array(pointing, IMAGE)
    else:
        columns[column] = pa.array([[cell] for cell in pointing], kind)
    features = {"image": datasets.Image(), "label": datasets.Value("int64")}
    features[column] = datasets.Image() if kind == IMAGE else datasets.List(datasets.Image())
    schema = datasets.Features(features).arrow_schema
    place = tmp_path / "set" / "data" / "train-00000-of-00001.parquet"
    place.parent.mkdir(parents=True)
    pq.write_table(pa.table(columns).cast(schema), place)
    return place


def contents(folder):
    return [file.read_bytes() for file in folder.rglob("*") if file.is_file()]


@pytest.mark.parametrize("column", ["image", "second"])
@pytest.mark.parametrize("kind", [IMAGE, pa.list_(IMAGE)])
@pytest.mark.parametrize("way", ["absolute", "relative", "dots", "link", "url"])
@pytest.mark.parametrize("door", ["file", "folder", "hub", "bias"])
def test_no_door_leads_out(tmp_path, private, monkeypatch, column, kind, way, door):
    if column == "image" and kind != IMAGE:
        return
    monkeypatch.chdir(tmp_path)
    path = {
        "absolute": private,
        "relative": "home/private.png",
        "dots": tmp_path / "set" / ".." / "home" / "private.png",
        "link": tmp_path / "set" / "link.png",
        "url": f"file://{private}",
    }[way]
    file = write(tmp_path, path, column=column, kind=kind)
    if way == "link":
        os.symlink(private, tmp_path / "set" / "link.png")

    def everything():
        if door == "bias":
            [source, _] = as_sources({"a": "hf:set", "b": "hf:set"})
            [source.image(row) for row in range(10)]
            return
        if door == "hub":
            data = load("hf:set")
            data = data if 9 in data.ids else load("hf:set", "test")
        else:
            data = parquet(file if door == "file" else tmp_path / "set")
        fingerprint(data)
        chosen = selection(data.ids, range(len(data)))
        for format in curate.exporting.FORMATS:
            curate.export(data, chosen, tmp_path / "out" / format, format)

    if column == "image" or door != "bias":  # bias reads the first image column only
        with pytest.raises(CurateError, match=r"outside of the set|inside the set"):
            everything()
    assert not (tmp_path / "out").exists() or private.read_bytes() not in contents(tmp_path / "out")


def test_files_inside_the_set_are_read(tmp_path):
    names = [f"{label}/{n}.png" for label in ("cat", "dog") for n in range(5)]
    written = write_folder(tmp_path / "set", names)
    train, test = load(f"hf:{tmp_path / 'set'}"), load(f"hf:{tmp_path / 'set'}", "test")
    assert len(train) + len(test) == 10
    place = curate.export(train, selection(train.ids, range(len(train))), tmp_path / "out")
    kept = datasets.load_dataset(str(place), split="train").cast_column(
        "image", datasets.Image(decode=False)
    )
    assert {row["image"]["bytes"] for row in kept} <= set(written.values())
    [source, _] = as_sources({"a": f"hf:{tmp_path / 'set'}", "b": f"hf:{tmp_path / 'set'}"})
    assert source.image(0).shape == (8, 8, 3)


def test_what_a_person_built_from_paths_is_their_own(tmp_path, private):
    rows = datasets.Dataset.from_dict({"image": [str(private)], "label": [0]})
    data = with_ids(rows.cast_column("image", datasets.Image()))
    place = curate.export(data, selection([0], [0]), tmp_path / "out", "imagefolder")
    assert private.read_bytes() in contents(place)


@pytest.mark.parametrize(
    "pattern", ["../home/private.parquet", "HOME/*.parquet", "data/../../home/p*.parquet", "LINK"]
)
def test_a_card_cannot_name_files_outside_of_the_set(tmp_path, private, pattern):
    rows = pa.table({"features": [[1.0, 2.0]] * 10, "label": [0, 1] * 5})
    (tmp_path / "set" / "data").mkdir(parents=True)
    pq.write_table(rows, tmp_path / "home" / "private.parquet")
    if pattern == "LINK":
        os.symlink(tmp_path / "home" / "private.parquet", tmp_path / "set" / "data" / "x.parquet")
        pattern = "data/*.parquet"
    pattern = pattern.replace("HOME", str(tmp_path / "home"))
    card = f"---\nconfigs:\n- config_name: default\n  data_files: {pattern}\n---\n"
    (tmp_path / "set" / "README.md").write_text(card)
    with pytest.raises(CurateError, match=r"takes '.*', which is outside of it"):
        load(f"hf:{tmp_path / 'set'}")
    with pytest.raises(CurateError, match=r"takes '.*', which is outside of it"):
        as_sources({"a": f"hf:{tmp_path / 'set'}", "b": "digits"})


def test_a_card_that_names_files_of_the_set_is_followed(tmp_path):
    (tmp_path / "set" / "deep").mkdir(parents=True)
    rows = pa.table({"features": [[1.0, 2.0]] * 10, "label": [0, 1] * 5})
    pq.write_table(rows, tmp_path / "set" / "deep" / "x.parquet")
    card = "---\nconfigs:\n- config_name: mine\n  data_files: deep/*.parquet\n---\n"
    (tmp_path / "set" / "README.md").write_text(card)
    assert len(load(f"hf:{tmp_path / 'set'}:mine")) == 8
