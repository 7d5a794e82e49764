"""What is read back is what was kept, in the order of the source."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, Subset, TensorDataset

from curate.data import ExampleSet, folder, load, parquet, with_ids
from curate.errors import CurateError
from curate.exporting import export
from tests.data.pictures import encoded, pixels, write_folder
from tests.exporting.selections import selection

datasets = pytest.importorskip("datasets")
KEPT = [1, 2, 5, 7]
NAMES = [f"{label}/{number}.png" for label in ("cat", "dog", "é l") for number in range(3)]


@pytest.fixture
def pictures(tmp_path):
    """A folder set of nine PNG files and their bytes by id."""
    contents = write_folder(tmp_path / "source", NAMES)
    return folder(tmp_path / "source"), contents


def wanted(data, kept=KEPT):
    return [data.ids[position] for position in kept]


def chosen(data, kept=KEPT):
    return selection(data.ids, kept, data.labels)


def read_webdataset(place):
    webdataset = pytest.importorskip("webdataset")
    shards = sorted(str(shard) for shard in place.glob("*.tar"))
    return list(webdataset.WebDataset(shards, shardshuffle=False))


def test_huggingface(tmp_path, pictures):
    data, contents = pictures
    place = export(data, chosen(data), tmp_path / "out")
    rows = datasets.load_dataset(str(place), split="train")
    assert rows["example_id"][:] == wanted(data)
    assert rows.features["label"].names == ["cat", "dog", "é l"]
    assert rows["label"][:] == data.labels[KEPT].tolist()
    raw = rows.cast_column("image", datasets.Image(decode=False))
    assert [row["image"]["bytes"] for row in raw] == [contents[name] for name in wanted(data)]
    np.testing.assert_array_equal(np.asarray(rows[0]["image"]), data.image(1))


def test_parquet(tmp_path, pictures):
    data, contents = pictures
    place = export(data, chosen(data), tmp_path / "out", "parquet")
    table = pq.read_table(place / "examples.parquet")
    assert table.column_names == ["example_id", "image", "label", "class_name"]
    assert [cell["bytes"] for cell in table["image"].to_pylist()] == [
        contents[name] for name in wanted(data)
    ]
    assert table["class_name"].to_pylist() == [name.split("/")[0] for name in wanted(data)]
    again = parquet(place)
    assert again.ids == wanted(data)
    assert again.class_names == data.class_names
    assert again.labels.tolist() == data.labels[KEPT].tolist()


def test_imagefolder(tmp_path, pictures):
    from torchvision.datasets import ImageFolder

    data, contents = pictures
    place = export(data, chosen(data), tmp_path / "out", "imagefolder")
    again = folder(place)
    assert again.ids == wanted(data)
    assert [again.encoded[row] for row in range(4)] == [contents[name] for name in wanted(data)]
    assert ImageFolder(str(place)).class_to_idx == {"cat": 0, "dog": 1, "é l": 2}
    index = pq.read_table(place / "metadata.parquet")
    assert index["example_id"].to_pylist() == index["file_name"].to_pylist() == wanted(data)
    rows = datasets.load_dataset(str(place), split="train")
    by_id = {row["example_id"]: np.asarray(row["image"]) for row in rows}
    for position in KEPT:
        np.testing.assert_array_equal(by_id[data.ids[position]], data.image(position))


def test_imagefolder_keeps_the_numbers_of_classes_of_which_nothing_is_kept(tmp_path, pictures):
    data, _ = pictures
    place = export(data, chosen(data, [7, 8]), tmp_path / "out", "imagefolder")
    again = folder(place)
    assert again.class_names == ["cat", "dog", "é l"]
    assert again.labels.tolist() == [2, 2]


def test_webdataset(tmp_path, pictures):
    data, contents = pictures
    place = export(data, chosen(data), tmp_path / "out", "webdataset")
    samples = read_webdataset(place)
    assert [sample["png"] for sample in samples] == [contents[name] for name in wanted(data)]
    assert [int(sample["cls"]) for sample in samples] == data.labels[KEPT].tolist()
    told = [json.loads(sample["json"]) for sample in samples]
    assert [entry["example_id"] for entry in told] == wanted(data)
    assert told[-1]["class_name"] == "é l"
    first = (place / "train-000000.tar").read_bytes()
    export(data, chosen(data), place, "webdataset", overwrite=True)
    assert (place / "train-000000.tar").read_bytes() == first  # no times of day inside


def test_webdataset_comes_in_shards(tmp_path, pictures, monkeypatch):
    data, contents = pictures
    monkeypatch.setattr("curate.exporting.formats.webdataset.SHARD_EXAMPLES", 3)
    place = export(data, chosen(data), tmp_path / "out", "webdataset")
    assert sorted(shard.name for shard in place.glob("*.tar")) == [
        "train-000000.tar",
        "train-000001.tar",
    ]
    assert [s["png"] for s in read_webdataset(place)] == [contents[name] for name in wanted(data)]
    assert "train-{000000..000001}.tar" in (place / "README.md").read_text()


def test_webdataset_names_the_extra_that_is_missing(tmp_path, pictures, monkeypatch):
    data, _ = pictures
    monkeypatch.setitem(__import__("sys").modules, "webdataset", None)
    with pytest.raises(CurateError, match=r"pip install 'curate-data\[webdataset\]'"):
        export(data, chosen(data), tmp_path / "out", "webdataset")
    assert not (tmp_path / "out").exists()


def test_indices(tmp_path, pictures):
    data, _ = pictures
    place = export(data, chosen(data), tmp_path / "out", "indices")
    positions = np.load(place / "positions.npy", allow_pickle=False)
    assert (positions.dtype, positions.tolist()) == (np.int64, KEPT)
    assert [sample[-1] for sample in Subset(data, positions.tolist())] == wanted(data)
    table = pq.read_table(place / "kept.parquet")
    assert table["example_id"].to_pylist() == wanted(data)
    assert table["position"].to_pylist() == KEPT


def test_shards_of_huggingface_are_numbered(tmp_path, pictures, monkeypatch):
    data, contents = pictures
    monkeypatch.setattr("curate.exporting.formats.huggingface.SHARD_BYTES", 1)
    monkeypatch.setattr("curate.exporting.arrow._ROWS", 2)
    monkeypatch.setattr("curate.exporting.arrow._MOST_ROWS", 2)
    place = export(data, chosen(data), tmp_path / "out")
    assert sorted(file.name for file in (place / "data").iterdir()) == [
        "train-00000-of-00002.parquet",
        "train-00001-of-00002.parquet",
    ]
    assert parquet(place).ids == wanted(data)
    assert [parquet(place).encoded[n] for n in range(4)] == [contents[i] for i in wanted(data)]


@pytest.mark.parametrize("format", ["huggingface", "parquet", "imagefolder", "webdataset"])
def test_arrays_become_png_without_loss(tmp_path, format):
    data = load("digits", "test")
    kept = list(range(0, 500, 7))
    place = export(data, chosen(data, kept), tmp_path / "out", format)
    if format == "webdataset":
        found = {json.loads(s["json"])["example_id"]: s["png"] for s in read_webdataset(place)}
    elif format == "imagefolder":
        index = pq.read_table(place / "metadata.parquet").to_pylist()
        found = {row["example_id"]: (place / row["file_name"]).read_bytes() for row in index}
    else:
        again = parquet(place)
        found = {int(key): again.encoded[row] for row, key in enumerate(again.ids)}
    assert list(found) == data.ids[kept].tolist()
    for position in kept:
        image = Image.open(io.BytesIO(found[data.ids[position]]))
        np.testing.assert_array_equal(np.asarray(image), data.image(position))


@pytest.mark.parametrize("format", ["huggingface", "parquet"])
@pytest.mark.parametrize("kind", ["binary", "struct"])
def test_a_parquet_source_keeps_all_its_columns_and_bytes(tmp_path, format, kind):
    contents = [encoded(pixels(seed), "JPEG") for seed in range(9)]
    cells = [{"bytes": c, "path": "x.jpg"} for c in contents] if kind == "struct" else contents
    rows = {
        "image": cells,
        "label": list("abcabcabc"),
        "weight": pa.array(range(9), pa.float32()),
        "tags": [["x"] * n for n in range(9)],
    }
    pq.write_table(pa.table(rows), tmp_path / "rows.parquet")
    data = parquet(tmp_path / "rows.parquet")
    place = export(data, chosen(data), tmp_path / "out", format)
    again = parquet(place)
    assert again.ids.tolist() == KEPT
    assert [again.encoded[row] for row in range(4)] == [contents[row] for row in KEPT]
    assert [again.class_names[label] for label in again.labels] == [
        "abcabcabc"[row] for row in KEPT
    ]
    table = again.dataset.with_format("arrow")[:]
    assert table["weight"].to_pylist() == [float(row) for row in KEPT]
    assert table["weight"].type == pa.float32()
    assert table["tags"].to_pylist() == [["x"] * row for row in KEPT]


def hugging_face(tmp_path):
    contents = write_folder(tmp_path / "pictures", NAMES)
    features = datasets.Features(
        {
            "pic": datasets.Image(),
            "text": datasets.Value("string"),
            "n": datasets.Value("int16"),
            "labels": datasets.ClassLabel(names=["no", "yes"]),
        }
    )
    rows = {
        "pic": [str(tmp_path / "pictures" / name) for name in NAMES],
        "text": [None, *NAMES[1:]],
        "n": range(9),
        "labels": [0, 1, 0, 1, 0, 1, 0, 1, 0],
    }
    return datasets.Dataset.from_dict(rows, features=features), contents


@pytest.mark.parametrize("format", ["huggingface", "parquet"])
def test_a_hugging_face_source_keeps_its_columns_and_gains_the_files_it_pointed_at(
    tmp_path, format
):
    data, contents = hugging_face(tmp_path)
    data = with_ids(data.shuffle(seed=0), list("abcdefghi"))
    place = export(data, selection("abcdefghi", KEPT), tmp_path / "out", format)
    [file] = place.rglob("*.parquet")
    table = pq.read_table(file)
    kept = data.select(KEPT)
    assert table["example_id"].to_pylist() == ["b", "c", "f", "h"]
    assert table["text"].to_pylist() == kept["text"][:]
    assert table["n"].type == pa.int16()
    numbers = kept["n"][:]
    assert table["n"].to_pylist() == numbers
    assert [cell["bytes"] for cell in table["pic"].to_pylist()] == [
        contents[NAMES[number]] for number in numbers
    ]
    assert datasets.Dataset.from_parquet(str(file)).features["labels"].names == ["no", "yes"]


def test_a_hugging_face_source_as_files(tmp_path):
    data, contents = hugging_face(tmp_path)
    data = with_ids(data)
    place = export(data, selection(range(9), KEPT), tmp_path / "files", "imagefolder")
    index = pq.read_table(place / "metadata.parquet").to_pylist()
    assert [row["class_name"] for row in index] == [["no", "yes"][row % 2] for row in KEPT]
    for row, position in zip(index, KEPT, strict=True):
        assert (place / row["file_name"]).read_bytes() == contents[NAMES[position]]
    samples = read_webdataset(
        export(data, selection(range(9), KEPT), tmp_path / "tar", "webdataset")
    )
    assert [sample["png"] for sample in samples] == [contents[NAMES[row]] for row in KEPT]
    assert json.loads(samples[0]["json"]) == {
        "example_id": 1,
        "text": NAMES[1],
        "n": 1,
        "class_name": "yes",
    }


@pytest.mark.parametrize("format", ["huggingface", "parquet", "webdataset"])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.int16])
def test_features_keep_type_and_every_bit(tmp_path, format, kind):
    values = (torch.randn(9, 2, 3, 4) * 1000).to(kind)
    data = with_ids(TensorDataset(values, torch.arange(9)), np.arange(9) * 10 - 40)
    place = export(data, selection(data.ids, KEPT), tmp_path / "out", format)
    if format == "webdataset":
        samples = read_webdataset(place)
        found = np.stack([np.load(io.BytesIO(sample["features.npy"])) for sample in samples])
        ids = [json.loads(sample["json"])["example_id"] for sample in samples]
    else:
        [file] = place.rglob("*.parquet")
        table = pq.read_table(file)
        found = np.array(table["features"].to_pylist(), values.numpy().dtype)
        ids = table["example_id"].to_pylist()
        assert table["label"].to_pylist() == KEPT
        leaf = table["features"].type
        while pa.types.is_list(leaf) or pa.types.is_fixed_size_list(leaf):
            leaf = leaf.value_type
        assert leaf == pa.from_numpy_dtype(values.numpy().dtype)
    assert ids == [-30, -20, 10, 30]
    np.testing.assert_array_equal(found, values[KEPT].numpy())


def test_exported_features_load_again(tmp_path):
    values = torch.randn(9, 5)
    data = with_ids(TensorDataset(values, torch.arange(9) % 2))
    again = load(export(data, selection(data.ids, range(9)), tmp_path / "out"))
    assert torch.equal(again.arrays()[0], values[again.ids])


def test_the_channels_of_tensors_come_first_of_arrays_last(tmp_path):
    tensors = torch.randint(0, 256, (2, 3, 5, 4), dtype=torch.uint8)
    arrays = np.random.default_rng(0).integers(0, 256, (2, 3, 5, 4), dtype=np.uint8)
    samples = with_ids([{"a": tensors[n], "b": arrays[n], "label": 0} for n in range(2)])
    place = export(samples, selection(range(2), [0, 1]), tmp_path / "out", "parquet")
    for n, row in enumerate(pq.read_table(place / "examples.parquet").to_pylist()):
        a, b = (np.asarray(Image.open(io.BytesIO(row[name]["bytes"]))) for name in "ab")
        np.testing.assert_array_equal(a, tensors[n].permute(1, 2, 0).numpy())
        np.testing.assert_array_equal(b, arrays[n])


def test_float_images_that_are_whole_levels_become_png(tmp_path):
    levels = torch.randint(0, 256, (9, 3, 5, 4), dtype=torch.uint8)
    data = with_ids(TensorDataset(levels.float() / 255, torch.arange(9) % 2))
    place = export(data, selection(range(9), KEPT), tmp_path / "out", "imagefolder")
    for row in pq.read_table(place / "metadata.parquet").to_pylist():
        image = np.asarray(Image.open(place / row["file_name"]))
        np.testing.assert_array_equal(image.transpose(2, 0, 1), levels[row["example_id"]].numpy())
    normalised = with_ids(TensorDataset(levels.float() / 255 - 0.5, torch.arange(9)))
    with pytest.raises(CurateError, match="of example 1 is float32 with values other than n/255"):
        export(normalised, selection(range(9), KEPT), tmp_path / "other", "imagefolder")


class Dicts(Dataset):
    """Samples of every sort of value."""

    def __len__(self):
        return 9

    def __getitem__(self, index):
        return {
            "Photo": Image.fromarray(pixels(index, channels=4)),
            "mask": torch.from_numpy(pixels(index, channels=1)),
            "tokens": list(range(index)),
            "words": ["w"] * index,
            "text": f"text {index}",
            "score": index / 3,
            "flag": index % 2 == 0,
            "raw": bytes([index]),
            "label": "even" if index % 2 == 0 else "odd",
        }


def test_samples_as_dicts(tmp_path):
    data = Subset(with_ids(Dicts(), list("abcdefghi")), [8, 3, 0, 5])
    select = selection(["i", "d", "a", "f"], [0, 1, 3])
    table = pq.read_table(export(data, select, tmp_path / "p", "parquet") / "examples.parquet")
    assert table["example_id"].to_pylist() == ["i", "d", "f"]
    assert table["tokens"].to_pylist() == [list(range(n)) for n in (8, 3, 5)]
    assert table["words"].to_pylist() == [["w"] * n for n in (8, 3, 5)]
    assert table["score"].to_pylist() == [8 / 3, 1.0, 5 / 3]
    assert table["flag"].to_pylist() == [True, False, False]
    assert table["raw"].to_pylist() == [b"\x08", b"\x03", b"\x05"]
    assert table["label"].to_pylist() == ["even", "odd", "odd"]
    for name, channels in (("Photo", 4), ("mask", 1)):
        image = Image.open(io.BytesIO(table[name][1].as_py()["bytes"]))
        np.testing.assert_array_equal(np.asarray(image), pixels(3, channels=channels))
    place = export(data, select, tmp_path / "f", "imagefolder")
    assert sorted(file.relative_to(place).as_posix() for file in place.rglob("*.png")) == [
        "even/i.png",
        "odd/d.png",
        "odd/f.png",
    ]
    sample = read_webdataset(export(data, select, tmp_path / "w", "webdataset"))[2]
    assert {"png", "mask.png", "tokens.npy", "raw.bin", "json"} <= sample.keys()
    assert json.loads(sample["json"])["words"] == ["w"] * 5


def test_a_wrapped_image_folder_gives_its_files_whatever_its_transform(tmp_path):
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    contents = write_folder(tmp_path / "source", NAMES)
    crop = transforms.Compose([transforms.RandomCrop(4), transforms.ToTensor()])
    data = with_ids(ImageFolder(str(tmp_path / "source"), transform=crop))
    place = export(data, selection(data.ids, KEPT), tmp_path / "out", "imagefolder")
    for row in pq.read_table(place / "metadata.parquet").to_pylist():
        name = sorted(NAMES)[row["example_id"]]
        assert (place / row["file_name"]).read_bytes() == contents[name]
        assert row["class_name"] == name.split("/")[0]


@pytest.mark.parametrize(
    ("samples", "format", "words"),
    [
        ([(torch.zeros(2, 3), 0), (torch.zeros(2, 4), 1)], "parquet", "of the first one of type"),
        ([({1, 2}, 0)] * 2, "parquet", "a sample holds a set"),
        ([{"a": 1}, {"b": 1}], "parquet", "example 1 has the fields"),
        ([{"a": None}] * 2, "parquet", "its type is not known"),
        ([(torch.zeros(2, dtype=torch.bfloat16), 0)] * 2, "parquet", "is bfloat16"),
        ([("text", 0)] * 2, "imagefolder", "holds no image"),
        ([(pixels(0), 1.5)] * 2, "imagefolder", "no label to name its folder"),
        ([(Image.new("CMYK", (2, 2)), 0)] * 2, "parquet", "of mode 'CMYK'"),
    ],
)
def test_what_a_format_cannot_hold_is_named(tmp_path, samples, format, words):
    with pytest.raises(CurateError) as caught:
        export(with_ids(samples), selection([0, 1], [0, 1]), tmp_path / "out", format)
    assert words in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_contents_that_are_no_image_are_not_copied(tmp_path):
    write_folder(tmp_path / "source", NAMES)
    data = folder(tmp_path / "source")
    (tmp_path / "source" / NAMES[2]).write_text("root:x:0:0")
    with pytest.raises(CurateError, match="the image of example 'cat/2.png' is no PNG"):
        export(data, chosen(data), tmp_path / "out", "webdataset")


def test_concatenated_sets_that_carry_ids(tmp_path):
    from torch.utils.data import ConcatDataset

    parts = [with_ids(TensorDataset(torch.ones(2, 2) * n), [f"{n}a", f"{n}b"]) for n in range(2)]
    data = ConcatDataset(parts)
    select = selection(["0a", "0b", "1a", "1b"], [1, 2])
    table = pq.read_table(export(data, select, tmp_path / "p", "parquet") / "examples.parquet")
    assert table.to_pylist() == [
        {"example_id": "0b", "features": [0.0, 0.0]},
        {"example_id": "1a", "features": [1.0, 1.0]},
    ]


def test_an_id_that_looks_like_a_folder_is_a_file_with_an_ending(tmp_path):
    ids = ["0.PNG/", "a/b.jpg", ".png", "x.Png"]
    contents = [encoded(pixels(number)) for number in range(4)]
    data = ExampleSet(ids, [0] * 4, ["cat"], shape=(3, 8, 8), encoded=contents)
    place = export(data, selection(ids, range(4), [0] * 4), tmp_path / "out", "imagefolder")
    names = pq.read_table(place / "metadata.parquet")["file_name"].to_pylist()
    assert all(name.lower().endswith((".png", ".jpg")) for name in names)
    assert len(folder(place)) == 4
