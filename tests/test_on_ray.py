"""Exports, identification and near-duplicates by two Ray workers: what one process gives."""

import pytest

from curate.bias import name_that_dataset
from curate.errors import CurateError
from curate.exporting import export
from curate.retest import near_duplicates
from tests.cluster import facts_of
from tests.features.test_extract import a_source

ON_A_CLUSTER = """
import gc

import numpy as np
from torch.utils.data import TensorDataset

import curate
from curate.bias import name_that_dataset
from curate.exporting import export
from curate.exporting import on_ray as exporting
from curate.features import _pixels
from curate.retest import near_duplicates
from curate.retest.duplicates import candidates, cells, comparing, images, search
from tests.data.pictures import write_folder
from tests.exporting.selections import selection
from tests.features.test_extract import a_source

def files(place):
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*")
            if path.is_file() and path.suffix not in (".json", ".md")}

exporting._ROWS = 3  # several blocks, the last one short
rng = np.random.default_rng(0)
colours = torch.from_numpy(rng.integers(0, 256, (13, 3, 6, 5), np.uint8))
arrays = curate.data.with_ids(TensorDataset(colours, torch.arange(13) % 3))
names = [f"{label}/{number}.png" for label in ("cat", "dog") for number in range(6)]
write_folder(folder / "pictures", names)
pictures = curate.data.folder(folder / "pictures")
rows = curate.data.parquet(export(arrays, selection(arrays.ids, range(13)), folder / "rows",
                                  "parquet"))
for name, data, format in (("arrays", arrays, "parquet"), ("files", pictures, "imagefolder"),
                           ("rows", rows, "webdataset")):
    chosen = selection(data.ids, [1, 2, 4, 5, 7, 8, 9, 11])
    here = export(data, chosen, folder / f"{name}-here", format)
    there = export(data, chosen, folder / f"{name}-there", format, engine="ray")
    facts[f"export {name}"] = [len(files(here)), files(here) == files(there)]

def spoilt(engine):
    (folder / "pictures" / "dog" / "4.png").write_bytes(b"no image")
    try:
        export(pictures, selection(pictures.ids, range(12)), folder / "never", engine=engine)
    except curate.CurateError as error:
        return [str(error), (folder / "never").exists()]

facts["spoilt"] = [spoilt(None), spoilt("ray")]

_pixels.BATCH = 16
others = torch.from_numpy(rng.integers(0, 256, (40, 3, 20, 20), np.uint8))
sources = {"one": a_source(40), "two": curate.bias.Source("two", np.arange(40), pixels=others)}
options = dict(features="colour", train_size=20, test_size=8, repeats=2, permutations=9)
found = [name_that_dataset(sources, controls=False, engine=engine, **options)
         for engine in (None, "ray")]
facts["identify"] = [found[0].probabilities.equals(found[1].probabilities),
                     found[0].curve.equals(found[1].curve), found[0].accuracy == found[1].accuracy]
facts["network"] = torch.equal(*(_pixels.pixels(sources["one"], 24, engine=engine)
                                 for engine in (None, "ray")))

source = a_source(110)
source.encoded[70:90] = [source.encoded[3]] * 20  # more copies than candidates
images._ROWS, candidates._AT_ONCE, candidates.EMBEDDED = 32, 50, 48
search._EXACT, cells._ADDED, comparing._PLANTED = 100, 20, 40
ended, end = [], cells._end

def noted(actors):
    ended.append(len(actors))
    end(actors)

cells._end = noted
found = [near_duplicates(source, size=32, engine=engine) for engine in (None, "ray")]
facts["duplicates"] = [found[0].table.equals(found[1].table), found[0].method == found[1].method,
                       found[0].recall.equals(found[1].recall), found[0].method.split(":")[0]]

gc.collect()
facts["shards"] = ended
"""


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    """What a process of its own says."""
    return facts_of(ON_A_CLUSTER, tmp_path_factory.mktemp("ray"))


@pytest.mark.parametrize(("name", "count"), [("arrays", 1), ("files", 9), ("rows", 1)])
def test_exports_have_the_same_files(facts, name, count):
    assert facts[f"export {name}"] == [count, True]


def test_an_image_that_cannot_be_exported_is_named_and_nothing_is_left(facts):
    here, there = facts["spoilt"]
    assert here == there
    assert "'dog/4.png'" in here[0]
    assert not here[1]


def test_identification_is_the_same(facts):
    assert facts["identify"] == [True, True, True]
    assert facts["network"]


def test_near_duplicates_in_shards_are_the_same(facts):
    assert facts["duplicates"] == [True, True, True, "approximate"]
    assert facts["shards"] == [2, 2]  # of features and of thumbnails, ended with the search


@pytest.mark.parametrize(
    "call",
    [
        lambda: export(None, None, "nowhere", engine="dask"),
        lambda: name_that_dataset([a_source(3), a_source(3)], engine="dask"),
        lambda: near_duplicates(a_source(3), engine="dask"),
    ],
)
def test_another_engine_is_named_before_anything_is_read(call):
    with pytest.raises(CurateError, match="engine: 'dask'; give 'ray', or None"):
        call()
