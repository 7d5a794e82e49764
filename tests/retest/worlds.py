"""Made predictions with known accuracies, as tables."""

import numpy as np
import pyarrow as pa

CLASSES = 10


def answers(accuracies, images, rng, *, difficulty=1.0, classes=CLASSES):
    """Labels, and predictions of models that find the same images hard."""
    from scipy.special import ndtri

    labels = rng.permutation(np.arange(images) % classes)
    hard = rng.normal(size=images) * difficulty
    reach = ndtri(np.asarray(accuracies)) * np.sqrt(1 + difficulty**2)
    right = reach[:, None] > hard[None, :] + rng.normal(size=(len(accuracies), images))
    wrong = (labels + rng.integers(1, classes, (len(accuracies), images))) % classes
    return labels, np.where(right, labels, wrong)


def predictions(accuracies, images, seed, **options):
    rng = np.random.default_rng(seed)
    labels, chosen = answers(accuracies, images, rng, **options)
    columns = {f"model_{row:02}": chosen[row] for row in range(len(accuracies))}
    return pa.table({"image": [f"{seed}/{i}" for i in range(images)], "label": labels, **columns})
