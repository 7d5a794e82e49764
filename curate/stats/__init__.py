"""Intervals and tests: exact binomial intervals, paired and corrected t, non-inferiority."""

from curate.stats.corrected_t import overlap_factor as overlap_factor
from curate.stats.exact import clopper_pearson as clopper_pearson
from curate.stats.noninferiority import Difference as Difference
from curate.stats.noninferiority import paired_difference as paired_difference
