"""What an experiment shows."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from curate.experiment.comparison import Comparison
from curate.notebook import Shown
from curate.train import Settings

if TYPE_CHECKING:
    from curate.pruning import Selection


@dataclass(frozen=True, eq=False, repr=False)
class Experiment(Shown):
    """A training set recorded, pruned, and compared with its pruned and random subsets.

    Attributes:
        comparison: accuracies, intervals and verdicts.
        selection: which examples are kept, and why.
        table: the example table, merged over the seeds of the full arm.
        settings: how every model was trained.
        folder: where the runs are kept; None where they are not.
    """

    comparison: Comparison
    selection: "Selection"
    table: pa.Table
    settings: Settings
    folder: Path | None

    def __repr__(self) -> str:
        kept = f"{len(self.selection):,} of {len(self.table):,} examples kept"
        return f"Experiment({kept}; {self.comparison.accuracies})"

    def __str__(self) -> str:
        """The arms' accuracies and the verdicts."""
        return str(self.comparison)
