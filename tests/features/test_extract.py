import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
import typer

from curate.bias import Source, as_sources
from curate.cli.app import app
from curate.errors import CurateError
from curate.features import FEATURES, colour, extract, hog, pixels, thumbnail
from curate.table import open_stream
from tests.data.pictures import encoded
from tests.data.pictures import pixels as drawn

FUNCTIONS = {"hog": hog, "colour": colour, "thumbnail": thumbnail}


def a_source(count=21, name="source", ids=None):
    ids = [f"row {row}" for row in range(count)] if ids is None else ids
    return Source(name, ids, encoded=[encoded(drawn(seed, 20, 24)) for seed in range(count)])


def means(images):
    return images.float().mean((2, 3))


def with_batch(monkeypatch, count):
    monkeypatch.setattr(sys.modules["curate.features._pixels"], "BATCH", count)


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_named_features_are_their_functions_of_the_common_decode(kind):
    source = a_source()
    found = extract(source, kind, size=16)
    assert (found.dtype, found.flags.c_contiguous) == (np.float32, True)
    np.testing.assert_array_equal(found, FUNCTIONS[kind](pixels(source, 16)).numpy())
    assert len(extract(source, kind)) == 21


@pytest.mark.parametrize("kind", [*FUNCTIONS, means])
def test_neither_batches_nor_order_matter(monkeypatch, kind):
    source = a_source()
    whole = extract(source, kind, size=16)
    order = np.random.default_rng(0).permutation(21)
    for batch in (1, 4, 20, 500):
        with_batch(monkeypatch, batch)
        np.testing.assert_allclose(extract(source, kind, size=16), whole, atol=1e-6, rtol=1e-6)
        shuffled = extract(source.take(order), kind, size=16)
        np.testing.assert_allclose(shuffled, whole[order], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("kind", [*FUNCTIONS, means, torch.nn.Conv2d(3, 4, 3)])
@pytest.mark.parametrize("ids", [None, np.arange(21) * 7])
def test_cached_is_fresh(tmp_path, kind, ids):
    source = a_source(ids=ids)
    fresh = extract(source, kind, size=16)
    made = extract(source, kind, size=16, cache=tmp_path / "a/b")
    files = list((tmp_path / "a/b").iterdir())
    assert len(files) == 1
    opened = os.stat(files[0]).st_mtime_ns
    seen = []
    again = extract(
        source, kind, size=16, cache=tmp_path / "a/b", on_progress=lambda *x: seen.append(x)
    )
    assert os.stat(files[0]).st_mtime_ns == opened
    assert seen == [(21, 21)]
    assert again.dtype == np.float32
    np.testing.assert_array_equal(made, fresh)
    np.testing.assert_array_equal(again, fresh)


def test_a_cached_file_is_read_rather_than_computed(tmp_path):
    calls = []

    def counted(images):
        calls.append(len(images))
        return means(images)

    source = a_source()
    extract(source, counted, cache=tmp_path)
    calls.clear()
    extract(source, counted, cache=tmp_path)
    assert calls == [2]  # the two fixed images by which it is known


def test_whatever_changes_the_features_changes_the_file(tmp_path):
    source = a_source()
    changed = list(source.encoded)
    changed[20] = encoded(drawn(99))
    arrays = Source("arrays", source.ids, pixels=torch.zeros(21, 1, 16, 16, dtype=torch.uint8))
    lit = replace(arrays, pixels=arrays.pixels.clone())
    lit.pixels[20, 0, 15, 15] = 1
    for number, (one, kind, size) in enumerate(
        [
            (source, "hog", 16),
            (source, "colour", 16),
            (source, "hog", 24),
            (source, means, 16),
            (source, lambda images: means(images) + 1, 16),
            (source, torch.nn.Conv2d(3, 4, 3), 16),
            (source, torch.nn.Conv2d(3, 4, 3), 16),  # of other weights
            (replace(source, encoded=changed), "hog", 16),
            (source.take(np.arange(20, -1, -1)), "hog", 16),
            (a_source(ids=np.arange(21)), "hog", 16),
            (arrays, "hog", 16),
            (lit, "hog", 16),
        ],
        start=1,
    ):
        extract(one, kind, size=size, cache=tmp_path)
        assert len(list(tmp_path.iterdir())) == number
    extract(replace(source, name="../../etc"), "hog", size=16, cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 12  # what it is called does not matter


def test_a_torn_or_foreign_file_is_made_again(tmp_path):
    source = a_source()
    wanted = extract(source, "hog", size=16, cache=tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    for content in (whole[:-30], whole[:middle], b"", b"PAR1 no table PAR1", flipped):
        file.write_bytes(content)
        np.testing.assert_array_equal(extract(source, "hog", size=16, cache=tmp_path), wanted)
        assert len(file.read_bytes()) == len(whole)
    other = a_source(22, ids=[f"other {row}" for row in range(22)])
    extract(other, "hog", size=16, cache=tmp_path / "other")
    (foreign,) = (tmp_path / "other").iterdir()
    file.write_bytes(foreign.read_bytes())
    np.testing.assert_array_equal(extract(source, "hog", size=16, cache=tmp_path), wanted)


def test_the_file_is_a_table_by_example_id(tmp_path):
    source = a_source()
    wanted = extract(source, "colour", size=16, cache=tmp_path)
    (file,) = tmp_path.iterdir()
    rows = pa.Table.from_batches(open_stream(file))
    assert rows["example_id"].to_pylist() == source.ids
    assert np.frombuffer(rows["features"][3].as_py(), "<f4").tolist() == wanted[3].tolist()


def test_progress_is_told_batch_by_batch(monkeypatch):
    with_batch(monkeypatch, 8)
    seen = []
    extract(a_source(), means, on_progress=lambda *told: seen.append(told))
    assert seen == [(8, 21), (16, 21), (21, 21)]


def test_only_a_batch_of_images_is_held(monkeypatch):
    with_batch(monkeypatch, 4)
    sizes = []
    extract(a_source(), lambda images: sizes.append(len(images)) or means(images))
    assert sizes == [4, 4, 4, 4, 4, 1]


def test_columns_by_name():
    table = pa.table(
        {
            "example_id": ["a", "b", "c"],
            "width": [1, 2, 3],
            "label": [0, 0, 1],
            "height": [0.5, 1.5, 2.5],
            "word": ["x", "y", "z"],
        }
    )
    source = as_sources({"table": table})[0]
    assert source.columns == ("width", "height")
    assert extract(source, ["height"]).tolist() == [[0.5], [1.5], [2.5]]
    assert extract(source, ("height", "width")).tolist() == [[0.5, 1], [1.5, 2], [2.5, 3]]
    assert extract(source, "hog").tolist() == [[1, 0.5], [2, 1.5], [3, 2.5]]
    with pytest.raises(CurateError, match="'table' has no column 'depth' among"):
        extract(source, ["depth"])
    with pytest.raises(CurateError, match="an empty list"):
        extract(source, [])
    with pytest.raises(CurateError, match="has images, so its numeric columns are not used"):
        extract(a_source(), ["width"])


def test_a_column_of_lists_is_all_its_numbers():
    lists = pa.table({"embedding": [[1.0, 2.0], [3.0, 4.0]]})
    source = as_sources({"lists": lists})[0]
    assert extract(source, ["embedding"]).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("hoc", r"features: 'hoc'; give 'hog', 'hog\+colour', 'colour', 'thumbnail', 'cnn'"),
        (3, "features: 3; give"),
        (lambda images: images, r"gave uint8 of shape \(21, 3, 64, 64\) for 21 images of 'source'"),
        (lambda images: means(images)[:3], r"of shape \(3, 3\) for 21"),
        (lambda images: np.array(["a"] * len(images))[:, None], "gave <U1 of shape"),
        (lambda images: 1 / (means(images) * 0), "those of example 'row 0' .* are not finite"),
    ],
)
def test_what_cannot_be_used_is_named(function, words):
    with pytest.raises(CurateError, match=words):
        extract(a_source(), function)


def test_another_length_later_on_is_named(monkeypatch):
    with_batch(monkeypatch, 20)
    with pytest.raises(CurateError, match="20 numbers per image, then 1"):
        extract(a_source(), lambda images: torch.zeros(len(images), len(images)))


def test_real_sources(real_data, tmp_path):
    source = as_sources([real_data / "natural-images/scene15_64.parquet"])[0]
    source = source.take(np.arange(0, 2000, 50))
    found = extract(source, "hog", cache=tmp_path)
    assert found.shape == (40, 7 * 7 * 36)
    images = [torch.from_numpy(source.image(row).copy())[None] for row in range(40)]
    images = [
        image[..., None].expand(-1, -1, -1, 3) if image.ndim == 3 else image for image in images
    ]
    wanted = hog(torch.cat(images).permute(0, 3, 1, 2))
    np.testing.assert_array_equal(found, wanted.numpy())
    np.testing.assert_array_equal(extract(source, "hog", cache=tmp_path), found)


def test_help_and_docs_name_every_feature():
    page = Path(__file__).parents[2] / "docs/dataset_bias.md"
    rows = [f'| `"{name}"` | {entry.help} |' for name, entry in FEATURES.items()]
    lines = page.read_text().splitlines()
    start = lines.index(rows[0])
    assert lines[start : start + len(rows)] == rows
    assert not lines[start + len(rows)]
    identify = typer.main.get_command(app).commands["identify"]
    (option,) = (each for each in identify.params if each.name == "features")
    for name in FEATURES:
        assert name in option.help
