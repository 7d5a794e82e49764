import os
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def real_data():
    """The folder of real data, or a skip that says how to provide it."""
    place = Path(os.environ.get("CURATE_DATA", Path(__file__).parent.parent.parent / "shared/data"))
    if not place.is_dir():
        pytest.skip(f"no real data: set CURATE_DATA ({place} is not a folder)")
    return place
