"""Scripts that run in a process of their own, with a Ray cluster of two local workers.

Ray is told of two GPUs that are not there, so that what asks for one is run too.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NO_CLUSTER = 77
LIMIT = 580  # seconds: a hung test is named by pytest after 600

START = """
import json
import sys
from pathlib import Path

import ray
import torch

torch.set_num_threads(1)
folder = Path(sys.argv[1])
try:
    ray.init(num_cpus=2, num_gpus=2, include_dashboard=False, log_to_driver=False,
             logging_level="error", object_store_memory=200_000_000, _temp_dir=str(folder))
except Exception as error:
    print(type(error).__name__, error)
    sys.exit(77)
facts = {}
"""
END = """
ray.shutdown()
print(json.dumps(facts))
"""


def facts_of(script, folder):
    """What a script notes in ``facts``, so that nothing of the cluster is left in this process.

    Its output goes to a file: a pipe would be held open by what outlives it.
    """
    pytest.importorskip("ray", reason="no Ray: pip install 'curate-data[ray]'")
    file, said = folder / "script.py", folder / "said.txt"
    file.write_text(START + script + END)
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": paths, "RAY_worker_niceness": "0"}
    with said.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, str(file), str(folder)],
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
