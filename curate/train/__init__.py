"""The small reference trainer, its networks and its default settings."""

from curate.moved import moved
from curate.train._train import predict as predict
from curate.train._train import train as train
from curate.train.nets import NETS as NETS
from curate.train.nets import build as build
from curate.train.settings import Settings as Settings
from curate.train.settings import settings_for as settings_for

__getattr__ = moved(
    __name__,
    {
        "Comparison": "curate.experiment.Comparison",
        "Difference": "curate.stats.Difference",
        "Run": "curate.experiment.Run",
        "compare": "curate.experiment.compare",
        "paired_difference": "curate.stats.paired_difference",
        "run_arm": "curate.experiment.run_arm",
    },
)
