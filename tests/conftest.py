import os
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)

# Other work on the machine must not fail a test.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")

# Hugging Face's own cache would outlive the tests, and slow or confuse the next run.
_CACHE = tempfile.TemporaryDirectory()
os.environ["HF_DATASETS_CACHE"] = _CACHE.name


# Real data that lie beside the checkout are used unless the environment names others.
_BESIDE = Path(__file__).parent.parent.parent / "shared/data"
if "CURATE_DATA" not in os.environ and _BESIDE.is_dir():
    os.environ["CURATE_DATA"] = str(_BESIDE)


@pytest.fixture(scope="session")
def real_data():
    """The folder of real data, or a skip that says how to provide it."""
    place = Path(os.environ.get("CURATE_DATA", _BESIDE))
    if not place.is_dir():
        pytest.skip(f"no real data: set CURATE_DATA ({place} is not a folder)")
    return place
