"""The 1,797 handwritten digits inside scikit-learn."""

import numpy as np
import torch

from curate.data.example_set import ExampleSet
from curate.data.holdout import held_out

TEST_COUNT = 500


def digits(split: str) -> ExampleSet:
    """1,297 training or 500 test digits of 8×8 pixels; ids are the indices in scikit-learn's set.

    The split is stratified and fixed (:func:`curate.data.held_out` with seed 0). The 17 grey
    levels of the set are spread over 0..255 and rounded, so that images can be stored as PNG.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    ids = np.arange(len(bunch.target))
    test = held_out(bunch.target, ids, TEST_COUNT)
    rows = np.flatnonzero(test if split == "test" else ~test)
    pixels = np.rint(bunch.images[rows] * (255 / 16)).astype(np.uint8)
    return ExampleSet(
        ids[rows],
        bunch.target[rows],
        [str(name) for name in bunch.target_names],
        shape=(1, 8, 8),
        values=torch.from_numpy(pixels[:, None]),
    )
