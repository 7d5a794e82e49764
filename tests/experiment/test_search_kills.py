"""A search that is killed at any moment goes on where it was, and ends as if it never had been."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot fork")

KILLED = """
import os, random, shutil, signal, sys, time
from pathlib import Path

import joblib
import torch

import curate

torch.set_num_threads(1)
folder, processes, kills = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
digits, test = curate.data.load("digits"), curate.data.load("digits", "test")
settings = curate.train.settings_for(digits.shape, model="mlp", epochs=2, device="cpu")

def search(where, workers):
    how = ("loky", {"n_jobs": 2}) if workers == 2 else ("sequential", {})
    with joblib.parallel_config(how[0], **how[1]):
        return curate.smallest_set(
            digits, test, by=["aum", "el2n"], sizes=[0.4], seeds=2, margin=0.1,
            settings=settings, folder=where,
        )

def facts(result):
    tables = (result.table.drop_columns(["seconds"]), result.claims, result.search,
              result.certified.table, result.selection and result.selection.kept_ids)
    return [str(result.candidate), result.looks, *map(str, result.verdicts),
            *(None if t is None else t.to_pylist() for t in tables)]

def start():
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        search(folder / "killed", processes)
        os._exit(0)
    return child

began = time.time()
expected = facts(search(folder / "whole", 1))
seconds = time.time() - began
rng = random.Random(0)
count = 0
while count < kills:
    child = start()
    started = time.time()
    while processes == 2 and not list((folder / "killed").rglob("*.parquet")):
        time.sleep(0.05)  # other processes take long to start: killed once they have done something
        assert time.time() - started < 100
    time.sleep(rng.uniform(0.02, 0.4) * seconds)
    os.killpg(child, signal.SIGKILL)
    if os.waitpid(child, 0)[1] == 0:
        if count:
            break
        shutil.rmtree(folder / "killed")  # too fast to be killed: once more, earlier
        seconds /= 2
        continue
    count += 1
finished = search(folder / "killed", processes)
assert facts(finished) == expected
assert finished.looks == 1
left = [str(path) for path in (folder / "killed").rglob("*") if "tmp" in path.name]
checkpoints = list((folder / "killed" / "checkpoints").glob("*"))
print(count, "kills;", round(seconds, 1), "s;", left, checkpoints)
"""


@pytest.mark.parametrize(("processes", "kills"), [(1, 3), (2, 1)])
def test_a_killed_search_ends_as_one_that_was_not(tmp_path, processes, kills):
    script = tmp_path / "script.py"
    script.write_text(KILLED)
    command = [sys.executable, str(script), str(tmp_path), str(processes), str(kills)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout.split()[0]) >= 1, done.stdout
    assert done.stdout.rstrip().endswith("[] []"), done.stdout  # nothing half-written is left
