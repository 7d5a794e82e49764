"""The weights of a trained classifier in a file, with all that is needed to use them."""

import os
from collections.abc import Sequence
from pathlib import Path

import torch

from curate.errors import CurateError
from curate.files import atomic_path
from curate.train._train import Trained
from curate.train.batches import Normaliser
from curate.train.nets import build
from curate.train.settings import Settings


def model_path(folder: str | os.PathLike[str], arm: str, seed: int) -> Path:
    """Where an experiment keeps the weights of one model: models/arm=ARM/seed=SEED.pt."""
    return Path(folder) / "models" / f"arm={arm}" / f"seed={seed}.pt"


def save_model(
    path: str | os.PathLike[str],
    trained: Trained,
    settings: Settings,
    shape: Sequence[int],
    classes: int,
) -> None:
    """Write a classifier's weights, its net and its normalisation.

    Args:
        path: the file to write, atomically.
        trained: what :func:`curate.train.train` returned.
        settings: how it was trained.
        shape: of one example.
        classes: number of classes.
    """
    normalise = trained.normalise
    content = {
        "weights": {name: value.cpu() for name, value in trained.model.state_dict().items()},
        "settings": settings.to_dict(),
        "shape": list(shape),
        "classes": classes,
        "mean": None if normalise is None else normalise.mean,
        "std": None if normalise is None else normalise.std,
    }
    with atomic_path(path) as temporary:
        torch.save(content, temporary)


def load_model(
    folder: str | os.PathLike[str], arm: str, seed: int, *, device: str = "cpu"
) -> Trained:
    """A classifier that an experiment trained, for :func:`predict` and :func:`logits_of`.

    Args:
        folder: of the experiment, as given to :func:`curate.smallest_set`.
        arm: such as "all", or as in the experiment's table.
        seed: which of the arm's models.
        device: where it shall run.

    Raises:
        CurateError: no such model, or a file that is torn.
    """
    path = model_path(folder, arm, seed)
    if not path.exists():
        kept = sorted(str(file.relative_to(folder)) for file in Path(folder).glob("models/*/*.pt"))
        raise CurateError(
            f"arm: no model at {str(path)!r}; "
            + (f"there are {', '.join(kept[:6])}" if kept else "the folder holds no models")
        )
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
        settings, shape = Settings(**content["settings"] | {"device": device}), content["shape"]
        model = build(settings.model, shape, content["classes"])
        model.load_state_dict(content["weights"])
        mean, std = content["mean"], content["std"]
    except CurateError:
        raise
    except Exception as error:
        raise CurateError(
            f"folder: the model {str(path)!r} is torn or none of ours; delete it and run the "
            "experiment again"
        ) from error
    normalise = None if mean is None else Normaliser(mean, std)
    return Trained(model.to(device), normalise, torch.device(device), tuple(shape))
