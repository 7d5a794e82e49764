"""Jobs stay in the process of the test, unless a test asks for others."""

import joblib
import pytest


@pytest.fixture(scope="module", autouse=True)
def in_this_process():
    with joblib.parallel_config("sequential"):
        yield
