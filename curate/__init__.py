"""Which examples does my training set need, and can I trust the sets I test on?

Record what happens to every example while a model trains, in one Arrow table; prune by it,
export the pruned set, and show what the pruning cost. ``docs/`` has a page on each part.
"""

import importlib
from types import ModuleType

from curate import data as data
from curate import table as table
from curate.errors import CurateError as CurateError
from curate.exporting import export as export
from curate.pruning import Selection as Selection
from curate.pruning import prune as prune
from curate.record import Recorder as Recorder
from curate.record import forgetting_at as forgetting_at
from curate.scores import SCORES as SCORES
from curate.scores import score as score
from curate.table import join as join
from curate.table import merge as merge
from curate.table import read as read
from curate.table import write as write

_PACKAGES = (
    "bias",
    "calculus",
    "cli",
    "experiment",
    "features",
    "nn",
    "report",
    "stats",
    "train",
)
"""Packages that are imported when they are first asked for, so that ``import curate`` is cheap."""


def __getattr__(name: str) -> ModuleType:
    if name in _PACKAGES:
        return importlib.import_module(f"curate.{name}")
    raise AttributeError(f"module 'curate' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PACKAGES])
