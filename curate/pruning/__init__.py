"""Pruning: a score and a strategy make a selection of which examples to keep, and why."""

from curate.pruning.ccs import ccs as ccs
from curate.pruning.counts import class_counts as class_counts
from curate.pruning.easiest import easiest as easiest
from curate.pruning.hardest import hardest as hardest
from curate.pruning.moderate import moderate as moderate
from curate.pruning.prune import prune as prune
from curate.pruning.random import random as random
from curate.pruning.selection import Selection as Selection
from curate.pruning.strategies import STRATEGIES as STRATEGIES
from curate.pruning.streaming import prune_file as prune_file
from curate.pruning.window import window as window
