"""Features by the workers of a Ray cluster; most of it needs the extra ``ray``."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from curate.data.on_ray import checked_engine
from curate.errors import CurateError
from curate.features import extract
from tests.features.test_extract import a_source, means

ROOT = Path(__file__).parents[2]
NO_CLUSTER = 77
LIMIT = 550  # seconds

ON_A_CLUSTER = """
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import ray
import torch
from torch.utils.data import Subset

import curate
from curate.features import _pixels, extract
from tests.data.pictures import encoded, pixels
from tests.features.test_extract import a_source

torch.set_num_threads(1)
folder = Path(sys.argv[1])
try:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error",
             object_store_memory=200_000_000, _temp_dir=str(folder))
except Exception as error:
    print(type(error).__name__, error)
    sys.exit(77)

_pixels.BATCH = 4  # six batches, the last one short
facts = {}

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

from curate.retest import near_duplicates
from curate.retest.duplicates import images

images._ROWS = 8
found = [near_duplicates(source, size=48, engine=engine) for engine in (None, "ray")]
facts["duplicates"] = found[0].table.equals(found[1].table)
ray.shutdown()
print(json.dumps(facts))
"""


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    """What a process of its own says, so that nothing of the cluster is left in this one."""
    pytest.importorskip("ray.data", reason="no Ray Data: pip install 'curate-data[ray]'")
    folder = tmp_path_factory.mktemp("ray")
    script, said = folder / "script.py", folder / "said.txt"
    script.write_text(ON_A_CLUSTER)
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": paths, "RAY_worker_niceness": "0"}
    with said.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, str(script), str(folder)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        try:
            code = process.wait(LIMIT)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    text = said.read_text()
    if code == NO_CLUSTER:
        pytest.skip(f"Ray does not start on this machine: {text[-300:]}")
    assert code == 0, text[-3000:]
    return json.loads(text.splitlines()[-1])


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


def test_near_duplicates_are_the_same(facts):
    assert facts["duplicates"]


def test_another_engine_is_named():
    with pytest.raises(CurateError, match="engine: 'spark'; give 'ray', or None"):
        extract(a_source(), engine="spark")


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(CurateError, match=r"engine: 'ray' needs .* 'curate-data\[ray\]'"):
        extract(a_source(), means, engine="ray")
    assert not checked_engine(None)
    np.testing.assert_array_equal(extract(a_source(), means), extract(a_source(), means))
