"""Record, choose, retrain, certify: full against pruned against randomly pruned sets."""

from curate.experiment._run_experiment import run_experiment as run_experiment
from curate.experiment._smallest_set import smallest_set as smallest_set
from curate.experiment.comparison import Comparison as Comparison
from curate.experiment.comparison import compare as compare
from curate.experiment.cross_fitted import cross_fitted_table as cross_fitted_table
from curate.experiment.result import Experiment as Experiment
from curate.experiment.search.candidates import Candidate as Candidate
from curate.experiment.search.result import SmallestSet as SmallestSet
from curate.experiment.training.job import Run as Run
from curate.experiment.training.run import run_arm as run_arm
from curate.experiment.training.trainers import TrainFunction as TrainFunction
