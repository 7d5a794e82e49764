"""Seeds: the same numbers as NumPy's own generator, and a sentence for what is no seed."""

import numpy as np
import pytest

from curate.errors import CurateError
from curate.stats import generator


@pytest.mark.parametrize("seeds", [(0,), (7,), (3, 1), (np.int64(2), 5, 0)])
def test_the_stream_is_numpys(seeds):
    own = np.random.default_rng(list(seeds) if len(seeds) > 1 else seeds[0])
    assert generator(*seeds).random(5).tolist() == own.random(5).tolist()


@pytest.mark.parametrize("seed", [-1, 0.5, "0", True, None])
def test_what_is_no_seed_is_named(seed):
    with pytest.raises(CurateError, match=f"seed: {seed!r}"):
        generator(seed, 1)
