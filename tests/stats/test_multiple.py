"""Corrections for several tests against their definitions, and against scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from curate.stats import benjamini_hochberg, holm


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_corrections(p_values):
    p_values = np.array(p_values)
    count = len(p_values)
    order = np.argsort(p_values, kind="stable")
    slow = {}
    for rank, place in enumerate(order):
        slow[place] = max(min(1, (count - r) * p_values[order[r]]) for r in range(rank + 1))
    assert holm(p_values) == pytest.approx([slow[i] for i in range(count)])
    assert benjamini_hochberg(p_values) == pytest.approx(false_discovery_control(p_values))
