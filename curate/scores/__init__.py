"""Scores: one number per example, high = hard = keep, whatever the sign in the paper."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from curate.moved import moved
from curate.scores._coresets import facility_location as facility_location
from curate.scores._coresets import herding as herding
from curate.scores._coresets import k_centre as k_centre
from curate.scores._grand import grand as grand
from curate.scores._label_noise import label_noise_table as label_noise_table
from curate.scores._suspects import Suspects as Suspects
from curate.scores._suspects import suspects as suspects
from curate.scores.dynamics import aum as aum
from curate.scores.dynamics import confidence as confidence
from curate.scores.dynamics import cross_fitted_confidence as cross_fitted_confidence
from curate.scores.dynamics import cross_fitted_el2n as cross_fitted_el2n
from curate.scores.dynamics import cross_fitted_margin as cross_fitted_margin
from curate.scores.dynamics import dual as dual
from curate.scores.dynamics import dyn_unc as dyn_unc
from curate.scores.dynamics import el2n as el2n
from curate.scores.dynamics import first_learned as first_learned
from curate.scores.dynamics import forgetting as forgetting
from curate.scores.dynamics import loss as loss
from curate.scores.dynamics import margin as margin
from curate.scores.dynamics import mislabel as mislabel
from curate.scores.dynamics import never_learned as never_learned
from curate.scores.dynamics import tdds as tdds
from curate.scores.dynamics import unforgettable as unforgettable
from curate.scores.dynamics import variability as variability
from curate.scores.registry import SCORES as SCORES
from curate.scores.registry import random as random
from curate.scores.registry import score as score

if TYPE_CHECKING:
    from curate.scores._influence import Influence as Influence
    from curate.scores._influence import SingleInfluence as SingleInfluence
    from curate.scores._influence import influence as influence

_old = moved(__name__, {"hash_ids": "curate.table.hash_ids"})


def __getattr__(name: str) -> Any:
    if name in (
        "influence",
        "Influence",
        "SingleInfluence",
    ):  # the calculus is imported when it is used
        return getattr(import_module("curate.scores._influence"), name)
    return _old(name)
