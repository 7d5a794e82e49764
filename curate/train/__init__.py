"""The small reference trainer, and full against pruned against randomly pruned sets."""

from curate.train.comparison import Comparison as Comparison
from curate.train.comparison import compare as compare
from curate.train.nets import NETS as NETS
from curate.train.nets import build as build
from curate.train.noninferiority import Difference as Difference
from curate.train.noninferiority import paired_difference as paired_difference
from curate.train.run import Run as Run
from curate.train.run import run_arm as run_arm
from curate.train.settings import Settings as Settings
from curate.train.settings import settings_for as settings_for
from curate.train.train import predict as predict
from curate.train.train import train as train
