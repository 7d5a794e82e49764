"""Which examples does my training set need, and can I trust the sets I test on?

``curate`` keeps one Arrow table with one row per example; everything it learns about an example
is a column. The usual way through it:

- :class:`Recorder` records what happens to every example while a model trains, :func:`watch` in
  loops that cannot be edited; :class:`DynamicSampler` prunes while it does;
- :func:`read`, :func:`write`, :func:`merge` and :func:`join` handle the tables;
- :func:`smallest_set` says how small a training set can get, by training and testing;
- :func:`score` ranks the examples, :func:`suspects` lists those whose label is likely wrong,
  :func:`prune` makes a :class:`Selection` of those to keep;
- :func:`export` writes the selection as a data set of its own.

The packages, from the ground up; ``docs/`` has a page on each:

- ``nn``, ``calculus``: networks and exact derivatives, usable without the rest;
- ``table``, ``data``, ``stats``: the example table, data sets with stable ids, intervals and tests;
- ``scores``, ``pruning``, ``exporting``, ``features``: from columns to a data set;
- ``record``, ``bias``, ``retest``, ``saliency``: what is learned about examples, data sets, test
  sets and explanations;
- ``train``, ``experiment``: a small trainer, and what pruning costs;
- ``report``, ``plot``: pages, charts and galleries; figures; ``cli``: the command line.
"""

import importlib
from typing import TYPE_CHECKING, Any

from curate import data as data
from curate import exporting as exporting
from curate import pruning as pruning
from curate import record as record
from curate import scores as scores
from curate import table as table
from curate.errors import CurateError as CurateError
from curate.exporting import export as export
from curate.pruning import Selection as Selection
from curate.pruning import prune as prune
from curate.record import DynamicSampler as DynamicSampler
from curate.record import Recorder as Recorder
from curate.record import forgetting_at as forgetting_at
from curate.record import watch as watch
from curate.scores import SCORES as SCORES
from curate.scores import score as score
from curate.scores import suspects as suspects
from curate.table import join as join
from curate.table import merge as merge
from curate.table import read as read
from curate.table import write as write

_LAZY = (
    "bias",
    "calculus",
    "cli",
    "experiment",
    "features",
    "nn",
    "plot",
    "report",
    "retest",
    "saliency",
    "stats",
    "train",
)
"""Packages that are imported when they are first asked for, so that ``import curate`` is cheap."""

_LAZY_FUNCTIONS = {"smallest_set": "experiment"}
"""Functions of these packages that belong to the table of contents."""

if TYPE_CHECKING:
    from curate import bias as bias
    from curate import calculus as calculus
    from curate import cli as cli
    from curate import experiment as experiment
    from curate import features as features
    from curate import nn as nn
    from curate import plot as plot
    from curate import report as report
    from curate import retest as retest
    from curate import saliency as saliency
    from curate import stats as stats
    from curate import train as train
    from curate.experiment import smallest_set as smallest_set

    __version__: str

else:  # a type checker would let every name pass

    def __getattr__(name: str) -> Any:
        if name in _LAZY:
            return importlib.import_module(f"curate.{name}")
        if name in _LAZY_FUNCTIONS:
            return getattr(importlib.import_module(f"curate.{_LAZY_FUNCTIONS[name]}"), name)
        if name == "__version__":
            return table.library_version()
        raise AttributeError(f"module 'curate' has no attribute {name!r}")


def __dir__() -> list[str]:
    hidden = {"TYPE_CHECKING", "Any", "importlib"}
    return sorted({*globals(), *_LAZY, *_LAZY_FUNCTIONS, "__version__"} - hidden)
