"""Does a classifier generalise to a fresh test set, and is the test set clean?"""

from curate.retest.gap.accuracy_gap import accuracy_gap as accuracy_gap
from curate.retest.gap.result import AccuracyGap as AccuracyGap
