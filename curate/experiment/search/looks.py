"""How often a test set was looked at: each certificate on it is a look, and has its own level."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.errors import CurateError
from curate.experiment.training.parallel import Lab
from curate.experiment.training.trainers import identity_of
from curate.files import atomic_path, one_at_a_time
from curate.stats import look_level


@dataclass(frozen=True)
class Look:
    """One certificate on a test set.

    Attributes:
        number: 1 for the first on this test set in this folder.
        level: at which it may claim something, :func:`curate.stats.look_level`.
    """

    number: int
    level: float


def plan_of(lab: Lab, *facts: Any) -> str:
    """A hash of everything that a certificate depends on: data, trainer, and the other facts."""
    trainer = "" if lab.folder is None else identity_of(lab.trainer)
    return hashlib.sha256(repr([lab.content, trainer, *facts]).encode()).hexdigest()


def take_look(folder: Path | None, test_content: str, plan: str) -> Look:
    """Count this look in the folder; the same plan again is the same look.

    Args:
        folder: of the experiment; None counts nothing: the look is the first.
        test_content: a hash of the test set.
        plan: a hash of everything that the certificate depends on: what is certified, the
            sizes, the seeds, the margin, the training set and the trainer.

    Raises:
        CurateError: a file of looks that is torn.
    """
    if folder is None:
        return Look(1, look_level(1))
    folder.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(folder):
        return _counted(folder / "looks.json", test_content, plan)


def _counted(path: Path, test_content: str, plan: str) -> Look:
    looks: dict[str, list[str]] = {}
    if path.exists():
        try:
            looks = json.loads(path.read_text())
            plans = looks.setdefault(test_content, [])
            known = isinstance(plans, list)
        except (ValueError, AttributeError, RecursionError):
            known = False
        if not known:
            raise CurateError(
                f"folder: {str(path)!r} is torn; it counts how often the test set was looked at: "
                "restore it, or start in a new folder with a test set that was not used before"
            )
    plans = looks.setdefault(test_content, [])
    if plan not in plans:
        plans.append(plan)
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(looks, indent=2) + "\n")
    number = plans.index(plan) + 1
    return Look(number, look_level(number))
