"""Record, choose, retrain, certify: full against pruned against randomly pruned sets."""

from curate.experiment.comparison import Comparison as Comparison
from curate.experiment.comparison import compare as compare
from curate.experiment.run import Run as Run
from curate.experiment.run import run_arm as run_arm
