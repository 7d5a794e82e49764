"""Pruning: a score and a strategy make a selection of which examples to keep, and why."""

from curate.pruning._ccs import ccs as ccs
from curate.pruning._prune import prune as prune
from curate.pruning.counts import class_counts as class_counts
from curate.pruning.on_disk.prune_file import prune_file as prune_file
from curate.pruning.rankings import easiest as easiest
from curate.pruning.rankings import hardest as hardest
from curate.pruning.rankings import moderate as moderate
from curate.pruning.rankings import random as random
from curate.pruning.rankings import window as window
from curate.pruning.selection import Selection as Selection
from curate.pruning.strategies import STRATEGIES as STRATEGIES
