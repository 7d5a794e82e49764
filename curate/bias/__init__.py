"""Which data set is this from, and what is a data set worth?"""

from curate.bias.audit.audit import nuisance_audit as nuisance_audit
from curate.bias.audit.result import Audit as Audit
from curate.bias.audit.shortcut import Shortcut as Shortcut
from curate.bias.classifiers.linear import Linear as Linear
from curate.bias.classifiers.linear import fit_linear as fit_linear
from curate.bias.classifiers.network import train_network as train_network
from curate.bias.identification.margin_vs_forgetting import MarginForgetting as MarginForgetting
from curate.bias.identification.margin_vs_forgetting import (
    margin_vs_forgetting as margin_vs_forgetting,
)
from curate.bias.identification.name_that_dataset import name_that_dataset as name_that_dataset
from curate.bias.identification.null_control import NullControl as NullControl
from curate.bias.identification.result import Caution as Caution
from curate.bias.identification.result import Identification as Identification
from curate.bias.market.cross_dataset import CrossDataset as CrossDataset
from curate.bias.market.cross_dataset import cross_dataset as cross_dataset
from curate.bias.market.market_value import market_value as market_value
from curate.bias.market.result import MarketValue as MarketValue
from curate.bias.overlap.result import Overlap as Overlap
from curate.bias.shift.classifier import classifier_two_sample as classifier_two_sample
from curate.bias.shift.kolmogorov_smirnov import kolmogorov_smirnov as kolmogorov_smirnov
from curate.bias.shift.mmd import mmd as mmd
from curate.bias.shift.nearest_neighbour import nearest_neighbour as nearest_neighbour
from curate.bias.shift.result import Power as Power
from curate.bias.shift.result import TwoSample as TwoSample
from curate.bias.shift.result import TwoSamples as TwoSamples
from curate.bias.shift.two_sample_tests import two_sample as two_sample
from curate.bias.sources.opening import as_sources as as_sources
from curate.bias.sources.source import Source as Source
from curate.moved import moved

__getattr__ = moved(
    __name__,
    {
        "GivenAway": "curate.bias.MarginForgetting",
        "given_away": "curate.bias.margin_vs_forgetting",
        "clopper_pearson": "curate.stats.clopper_pearson",
        "cnn": "curate.features.cnn",
        "colour": "curate.features.colour",
        "extract": "curate.features.extract",
        "hog": "curate.features.hog",
        "pixels": "curate.features.pixels",
        "thumbnail": "curate.features.thumbnail",
    },
)
