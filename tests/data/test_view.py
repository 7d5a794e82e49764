"""The one view of a data set, whatever holds it."""

import numpy as np
import pyarrow as pa
import pytest
import torch
import torchvision
from torch.utils.data import Subset, TensorDataset

import curate.data.opening
from curate.bias import as_sources
from curate.data import ExampleSet, View, fingerprint, folder, load, open_view, with_ids
from curate.errors import CurateError
from curate.exporting import export
from curate.features import extract, pixels
from tests.data.pictures import encoded, write_folder
from tests.data.pictures import pixels as picture
from tests.exporting.selections import selection

datasets = pytest.importorskip("datasets")
NAMES = ["cat/1.png", "cat/2.png", "dog/3.png"]


def rows(count=3):
    return datasets.Dataset.from_dict(
        {
            "image": [{"bytes": encoded(picture(seed)), "path": None} for seed in range(count)],
            "label": [0, 0, 1][:count],
            "example_id": NAMES[:count],
        },
        features=datasets.Features(
            {
                "image": datasets.Image(),
                "label": datasets.ClassLabel(names=["cat", "dog"]),
                "example_id": datasets.Value("string"),
            }
        ),
    )


class Pictures:
    def __init__(self):
        self.classes = ["cat", "dog"]

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return picture(index), [0, 0, 1][index]


@pytest.fixture
def origins(tmp_path):
    """The same three pictures from five origins."""
    write_folder(tmp_path, NAMES)
    for seed, name in enumerate(NAMES):
        (tmp_path / name).write_bytes(encoded(picture(seed)))
    stored = torch.from_numpy(np.stack([picture(seed) for seed in range(3)])).permute(0, 3, 1, 2)
    labels = np.array([0, 0, 1])
    return {
        "folder": folder(tmp_path),
        "arrays": ExampleSet(
            NAMES, labels, ["cat", "dog"], shape=stored.shape[1:], values=stored.contiguous()
        ),
        "rows": rows(),
        "torchvision": with_ids(torchvision.datasets.ImageFolder(str(tmp_path)), NAMES),
        "samples": with_ids(Pictures(), NAMES),
    }


@pytest.mark.parametrize("origin", ["folder", "arrays", "rows", "torchvision", "samples"])
def test_every_origin_gives_the_same_view(origins, origin):
    data = origins[origin]
    for given, kept in ((data, [0, 1, 2]), (Subset(data, [2, 0]), [2, 0])):
        view = open_view(given)
        assert isinstance(view, View)
        assert open_view(view) is view
        assert list(view.ids) == [NAMES[row] for row in kept]
        assert view.labels.tolist() == [[0, 0, 1][row] for row in kept]
        assert list(view.class_names) == ["cat", "dog"]
        assert view.content == "images"
        assert view.columns is view.features is None
        for position, row in enumerate(kept):
            np.testing.assert_array_equal(view.image(position), picture(row))
            assert view.value(position)["label"] == view.labels[position]
        assert len(repr(view)) < 100


@pytest.mark.parametrize("origin", ["folder", "arrays", "rows", "torchvision", "samples"])
def test_features_are_those_of_the_pictures_whatever_holds_them(origins, origin, tmp_path):
    wanted = pixels(origins["arrays"], 8)
    assert torch.equal(pixels(origins[origin], 8), wanted)
    found = extract(origins[origin], "thumbnail", size=8, cache=tmp_path / "cache")
    again = extract(origins[origin], "thumbnail", size=8, cache=tmp_path / "cache")
    np.testing.assert_array_equal(found, extract(origins["arrays"], "thumbnail", size=8))
    np.testing.assert_array_equal(found, again)


@pytest.mark.parametrize("origin", ["folder", "arrays", "rows", "torchvision"])
def test_a_source_is_made_of_the_view(origins, origin):
    (source,) = as_sources({"mine": Subset(origins[origin], [2, 0])})
    assert list(source.ids) == [NAMES[2], NAMES[0]]
    assert source.labels.tolist() == [1, 0]
    assert source.class_names == ("cat", "dog")
    np.testing.assert_array_equal(source.image(0), picture(2))


def test_features_and_texts_are_told():
    table = datasets.Dataset(pa.table({"example_id": [5, 6], "p": [0.5, 1], "q": [3, 4]}))
    view = open_view(table)
    assert view.features.tolist() == [[0.5, 3], [1, 4]]
    assert (view.columns, view.labels, view.content) == (("p", "q"), None, "features")
    texts = open_view(datasets.Dataset(pa.table({"text": ["a", "b"], "label": [0, 1]})))
    assert (texts.content, texts.value(1)) == ("texts", {"text": "b", "label": 1})
    plain = open_view(TensorDataset(torch.zeros(2, 3)))
    assert (plain.content, plain.ids.tolist(), plain.labels) == ("other", [0, 1], None)


def test_an_export_asks_once_what_a_data_set_is(tmp_path, monkeypatch):
    asked = []
    real = curate.data.opening.is_hugging_face
    monkeypatch.setattr(
        "curate.data.opening.is_hugging_face", lambda data: asked.append(1) or real(data)
    )
    export(rows(), selection(NAMES, [0, 2]), tmp_path / "out", "parquet")
    assert len(asked) == 1


def test_what_is_no_data_set_is_named():
    for given in (3, {"train": rows()}):
        with pytest.raises(CurateError, match="dataset: a (int|dict)"):
            open_view(given)
    with pytest.raises(CurateError, match="carry no ids"):
        open_view(TensorDataset(torch.zeros(2, 3)), needs_ids=True)


def test_the_old_name_is_forwarded():
    with pytest.warns(DeprecationWarning, match="ExampleSet"):
        from curate.data import Loaded
    assert isinstance(load("digits"), Loaded)
    assert len(repr(load("digits"))) < 100
    assert len(repr(with_ids(TensorDataset(torch.zeros(2, 3))))) < 100
    assert fingerprint(open_view(load("digits"))) == fingerprint(load("digits"))
