"""Intervals and tests: exact binomial, permutation, bootstrap, corrected t, non-inferiority."""

from curate.stats._certificate import Certificate as Certificate
from curate.stats._certificate import better_than_guessing as better_than_guessing
from curate.stats._certificate import certificate as certificate
from curate.stats._certificate import look_level as look_level
from curate.stats._superiority import superiority as superiority
from curate.stats.bootstrap import percentile_interval as percentile_interval
from curate.stats.bootstrap import resampled_mean as resampled_mean
from curate.stats.corrected_t import mean_interval as mean_interval
from curate.stats.corrected_t import overlap_factor as overlap_factor
from curate.stats.exact import binomial_p_value as binomial_p_value
from curate.stats.exact import clopper_pearson as clopper_pearson
from curate.stats.multiple import benjamini_hochberg as benjamini_hochberg
from curate.stats.multiple import holm as holm
from curate.stats.noninferiority import CONFIDENCE as CONFIDENCE
from curate.stats.noninferiority import Difference as Difference
from curate.stats.noninferiority import paired_difference as paired_difference
from curate.stats.noninferiority import seeds_needed as seeds_needed
from curate.stats.noninferiority import t_quantile as t_quantile
from curate.stats.permutation import permutation_p_value as permutation_p_value
from curate.stats.seeds import generator as generator
