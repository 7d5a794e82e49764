"""Features by the workers of a Ray cluster; most of it needs the extra ``ray``."""

import sys

import numpy as np
import pytest

from curate.data.on_ray import checked_engine
from curate.errors import CurateError
from curate.features import extract
from tests.cluster import facts_of
from tests.features.test_extract import a_source, means

ON_A_CLUSTER = """
from dataclasses import replace

import numpy as np
from torch.utils.data import Subset

import curate
from curate.features import _pixels, extract
from tests.data.pictures import encoded, pixels
from tests.features.test_extract import a_source

_pixels.BATCH = 4  # six batches, the last one short

def compare(name, source, features, **options):
    told = []
    progress = lambda *numbers: told.append(numbers)
    here = extract(source, features, size=16, on_progress=progress)
    told_here, told[:] = [*told], []
    there = extract(source, features, size=16, engine="ray", on_progress=progress, **options)
    facts[name] = [here.shape, here.dtype == there.dtype, here.tobytes() == there.tobytes(),
                   told == told_here]

source = a_source(23)
scale = torch.tensor(0.5)
compare("files, a name", source, "hog")
turned = source.take(np.arange(22, -1, -1))
closure = lambda images: images.float().mean((2, 3)) * scale
compare("files, a closure", turned, closure, cache=folder / "cache")
(kept,) = (folder / "cache").iterdir()
cached = extract(turned, closure, size=16, cache=kept.parent)
facts["cached"] = cached.tobytes() == extract(turned, closure, size=16).tobytes()

for number in range(23):
    place = folder / "images" / "ab"[number % 2] / f"{number}.png"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(encoded(pixels(number, 20, 24)))
data = curate.data.folder(folder / "images")
compare("a part of a folder, a network", Subset(data, list(range(20, 2, -1))),
        torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 8, 3)))

torn = list(source.encoded)
torn[13] = torn[13][:60]
torn[20] = b"no image"
facts["torn"] = []
for engine in (None, "ray"):
    try:
        extract(replace(source, encoded=torn), size=16, engine=engine)
    except curate.CurateError as error:
        facts["torn"].append(str(error))
"""


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    """What a process of its own says."""
    return facts_of(ON_A_CLUSTER, tmp_path_factory.mktemp("ray"))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("files, a name", [23, 36]),
        ("files, a closure", [23, 3]),
        ("a part of a folder, a network", [18, 8]),
    ],
)
def test_two_workers_give_the_bytes_of_one_process_in_order(facts, name, shape):
    assert facts[name] == [shape, True, True, True]


def test_they_are_cached_as_ever(facts):
    assert facts["cached"]


def test_a_torn_image_is_named_as_by_one_process(facts):
    here, there = facts["torn"]
    assert here == there
    assert "'row 13' cannot be decoded" in here


def test_another_engine_is_named():
    with pytest.raises(CurateError, match="engine: 'spark'; give 'ray', or None"):
        extract(a_source(), engine="spark")


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(CurateError, match=r"engine: 'ray' needs .* 'curate-data\[ray\]'"):
        extract(a_source(), means, engine="ray")
    assert not checked_engine(None)
    np.testing.assert_array_equal(extract(a_source(), means), extract(a_source(), means))
