"""Permutation test of the accuracy of fixed guesses."""

import numpy as np
import torch
from torch import Tensor


def broken_ties(observed: float, permuted: np.ndarray, seed: int) -> tuple[float, np.ndarray]:
    """The statistics with equal ones put in a random order.

    Accuracies of few examples have few values; a p-value that counts ties as exceeding would be
    too large on average, up to half of the time at chance.
    """
    noise = np.random.default_rng([seed, 9]).random(1 + len(permuted)) * 1e-9
    return observed + noise[0], permuted + noise[1:]


def score_with_permuted_labels(
    guesses: Tensor, y: Tensor, permutations: int, seed: int
) -> np.ndarray:
    """Accuracies of fixed guesses against permuted test labels.

    Given what was learned, guesses and test labels are independent under the null hypothesis, so
    that this is valid for any classifier, without refitting.
    """
    generator = torch.Generator().manual_seed(seed)
    return np.array(
        [(guesses == _permuted(y, generator)).double().mean().item() for _ in range(permutations)]
    )


def _permuted(y: Tensor, generator: torch.Generator) -> Tensor:
    return y[torch.randperm(len(y), generator=generator)]
