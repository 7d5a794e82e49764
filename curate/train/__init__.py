"""The small reference trainer, its networks and its default settings."""

from curate.moved import moved
from curate.train._middle_features import middle_features as middle_features
from curate.train._train import Trained as Trained
from curate.train._train import logits_of as logits_of
from curate.train._train import predict as predict
from curate.train._train import train as train
from curate.train.nets import NETS as NETS
from curate.train.nets import build as build
from curate.train.settings import Settings as Settings
from curate.train.settings import settings_for as settings_for
from curate.train.weights import load_model as load_model
from curate.train.weights import model_path as model_path
from curate.train.weights import save_model as save_model

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
