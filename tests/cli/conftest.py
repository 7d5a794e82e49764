"""Jobs of ``curate run`` stay in the process of the test."""

import joblib
import pytest


@pytest.fixture(scope="module", autouse=True)
def in_this_process():
    with joblib.parallel_config("sequential"):
        yield
