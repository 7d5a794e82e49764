"""A Ray cluster trains a search; it needs the extra ``ray``."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("ray", reason="Ray is not installed: pip install 'curate-data[ray]'")

ON_A_CLUSTER = """
import sys
from pathlib import Path

import joblib
import numpy as np
import pyarrow as pa
import ray
from pyarrow import parquet
from ray.util.joblib import register_ray
from ray.util.multiprocessing import Pool

import curate
from curate.pruning import prune_file
from curate.pruning.on_disk import rows

digits, test = curate.data.load("digits"), curate.data.load("digits", "test")
settings = curate.train.settings_for(digits.shape, model="mlp", epochs=1, device="cpu")

def search():
    return curate.smallest_set(digits, test, by="aum", sizes=[0.4], seeds=2, settings=settings)

def facts(result):
    tables = [result.table.drop_columns(["seconds"]), result.claims, result.certified.table]
    return [t.to_pylist() for t in tables] + [run.right.tolist() for run in result.runs]

with joblib.parallel_config("sequential"):
    here = facts(search())
folder = Path(sys.argv[1])
rows._PART = 1000
rng = np.random.default_rng(0)
table = {"example_id": np.arange(10_000), "margin_mean": rng.random(10_000)}
parquet.write_table(pa.table(table), folder / "examples.parquet", row_group_size=500)

def pruned(name, executor=None):
    return prune_file(folder / "examples.parquet", folder / name, 0.3, "aum", executor=executor)

of_threads = pruned("threads")
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error",
         object_store_memory=200_000_000, _temp_dir=sys.argv[1])
try:
    register_ray()
    with joblib.parallel_config("ray", n_jobs=2):
        there = facts(search())
    with Pool(2) as pool:
        assert pruned("ray", pool) == of_threads
finally:
    ray.shutdown()
assert there == here
print("the same")
"""


def test_two_workers_of_a_cluster_give_what_one_process_gives(tmp_path_factory):
    """In a process of its own, so that nothing of the cluster is left in this one."""
    folder = tmp_path_factory.mktemp("ray")
    script = folder / "script.py"
    script.write_text(ON_A_CLUSTER)
    command = [sys.executable, str(script), str(folder)]
    environment = {**os.environ, "RAY_worker_niceness": "0"}  # 15 starves beside other tests
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=500, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split("\n")[-2] == "the same"
