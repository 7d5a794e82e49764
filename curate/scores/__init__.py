"""Scores: one number an example, high = hard = keep, whatever the paper's own sign."""

from curate.scores.aum import aum as aum
from curate.scores.confidence import confidence as confidence
from curate.scores.el2n import el2n as el2n
from curate.scores.first_learned import first_learned as first_learned
from curate.scores.forgetting import forgetting as forgetting
from curate.scores.grand import grand as grand
from curate.scores.hash_ids import hash_ids as hash_ids
from curate.scores.loss import loss as loss
from curate.scores.margin import margin as margin
from curate.scores.never_learned import never_learned as never_learned
from curate.scores.random import random as random
from curate.scores.score import SCORES as SCORES
from curate.scores.score import score as score
from curate.scores.unforgettable import unforgettable as unforgettable
from curate.scores.variability import variability as variability
