"""Pruning: a score and a strategy make a selection of which examples to keep, and why."""

from curate.pruning._prune import prune as prune
from curate.pruning.counts import class_counts as class_counts
from curate.pruning.on_disk.prune_file import STREAMED as STREAMED
from curate.pruning.on_disk.prune_file import prune_file as prune_file
from curate.pruning.registry import STRATEGIES as STRATEGIES
from curate.pruning.selection import Selection as Selection
from curate.pruning.strategies import beta as beta
from curate.pruning.strategies import ccs as ccs
from curate.pruning.strategies import easiest as easiest
from curate.pruning.strategies import hardest as hardest
from curate.pruning.strategies import moderate as moderate
from curate.pruning.strategies import random as random
from curate.pruning.strategies import window as window
