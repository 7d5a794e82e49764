"""Accuracies on resampled images, of all models at once.

A resample draws as many images as there are, with replacement. What models make of it is a matrix
product of how often each image was drawn with where each model is right, so that models stay
paired: they are tested on the same images in every resample.
"""

import numpy as np

_BLOCK = 32  # resamples whose counts are in memory together: 6 MB for 50,000 images


def resampled_accuracies(
    correct: np.ndarray,
    resamples: int,
    rng: np.random.Generator,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """The bootstrap over images.

    Args:
        correct: bool (models, images).
        resamples: how many.
        rng: drawn from.
        weights: float64 (images,), of mean 1; None: all weigh the same.

    Returns:
        float64 (resamples, models).
    """
    models, images = correct.shape
    right = np.ascontiguousarray(correct.T, dtype=np.float32)
    if weights is not None:
        right = np.column_stack([right, np.ones(images)]) * weights[:, None]
        right = right.astype(np.float32)
    kind = np.uint16 if images <= 1 << 16 else np.int64  # small ones are drawn faster
    accuracies = np.empty((resamples, models))
    counts = np.empty((_BLOCK, images), np.float32)
    for start in range(0, resamples, _BLOCK):
        block = counts[: resamples - start]
        for row in block:
            row[:] = np.bincount(rng.integers(0, images, images, kind), minlength=images)
        sums = (block @ right).astype(np.float64)
        whole = sums[:, -1:] if weights is not None else images
        accuracies[start : start + len(block)] = sums[:, :models] / whole
    return accuracies


def noise_of(correct: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """The covariance that accuracies have because the images are a sample.

    Args:
        correct: bool (models, images).
        weights: float64 (images,), of mean 1; None: all weigh the same.

    Returns:
        float64 (models, models).
    """
    images = correct.shape[1]
    right = correct.astype(np.float32)
    if weights is None:
        share = correct.mean(1)
        return (right @ right.T).astype(np.float64) / images**2 - np.outer(share, share) / images
    share = (correct @ weights) / images
    apart = (right - share[:, None]) * weights
    return np.asarray(apart @ apart.T) / images**2
