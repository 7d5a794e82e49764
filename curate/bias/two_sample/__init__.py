"""Do two sets of features come from one distribution? Tests that say what they would have seen."""

from curate.bias.two_sample.classifier import classifier_two_sample as classifier_two_sample
from curate.bias.two_sample.kolmogorov_smirnov import kolmogorov_smirnov as kolmogorov_smirnov
from curate.bias.two_sample.mmd import mmd as mmd
from curate.bias.two_sample.nearest_neighbour import nearest_neighbour as nearest_neighbour
from curate.bias.two_sample.result import Power as Power
from curate.bias.two_sample.result import TwoSample as TwoSample
from curate.bias.two_sample.result import TwoSamples as TwoSamples
from curate.bias.two_sample.two_sample import two_sample as two_sample
