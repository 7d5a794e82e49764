"""The packed word: one int64 per example, which makes ``track="forgetting"`` fit in 8 bytes.

From the lowest bit:

====================  ====  ===========================================================
field                 bits  meaning
====================  ====  ===========================================================
last                     1  correct at the last presentation
forgetting_events       15
presentations           16  at most 65,535; later ones are left out and counted
first_learned           16  presentations needed until first correct, 0 = never learned
label code              16  label + 1, 0 = none, or above 65,534
====================  ====  ===========================================================

Learning and forgetting events alternate, so the former follow from the word:
learning = forgetting + last - (first_learned == 1).
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from curate.record import sync

_FORGETTING_SHIFT = 1
_PRESENTATIONS_SHIFT = 16
_FIRST_LEARNED_SHIFT = 32
_LABEL_SHIFT = 48

MAX_COUNT = 0xFFFF
"""The most presentations of one example that a word can count."""

MAX_LABEL_CODE = 0xFFFF
"""The largest label code: labels from here on are not kept."""


class Counts(NamedTuple):
    """The fields of packed words, int64 arrays of shape (n,)."""

    presentations: np.ndarray
    forgetting_events: np.ndarray
    learning_events: np.ndarray
    first_learned: np.ndarray
    label_code: np.ndarray


def _in_numpy_on_the_cpu(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let integer arithmetic on the CPU run in numpy, which is over twice as fast at this size."""

    @wraps(function)
    def run(*tensors: Tensor) -> Any:
        if not sync.is_free_to_read(tensors[0]):
            return function(*tensors)
        result = function(*(tensor.numpy() for tensor in tensors))
        if isinstance(result, tuple):
            return tuple(map(torch.from_numpy, result))
        return torch.from_numpy(result)

    return run


@_in_numpy_on_the_cpu
def unpack(packed: Any) -> Any:
    """Last outcome, last label code, presentations seen, and 1 where never learned so far."""
    first_learned = packed & (MAX_COUNT << _FIRST_LEARNED_SHIFT)
    return (
        packed & 1,
        (packed >> _LABEL_SHIFT) & MAX_LABEL_CODE,
        (packed >> _PRESENTATIONS_SHIFT) & MAX_COUNT,
        ((first_learned - 1) >> 63) & 1,  # the sign: a comparison would have to be widened again
    )


@_in_numpy_on_the_cpu
def transition(
    correct: Any, label_code: Any, last: Any, last_label_code: Any, seen: Any, unlearned: Any
) -> Any:
    """What one presentation adds to a word, given what went before; all int64 (N,).

    Of ``last`` and the count of forgetting events beside it, a learning event adds 1 to the first
    and a forgetting event 1 to the second and -1 to the first: 1 to the word, both.
    """
    return (
        (last ^ correct)
        + (1 << _PRESENTATIONS_SHIFT)
        + (((correct & unlearned) * (seen + 1)) << _FIRST_LEARNED_SHIFT)
        + ((label_code - last_label_code) << _LABEL_SHIFT)
    )


def counts_of(packed: np.ndarray) -> Counts:
    """Every field of the words (n,), for the table."""
    forgetting = (packed >> _FORGETTING_SHIFT) & (MAX_COUNT >> 1)
    first_learned = (packed >> _FIRST_LEARNED_SHIFT) & MAX_COUNT
    return Counts(
        presentations=(packed >> _PRESENTATIONS_SHIFT) & MAX_COUNT,
        forgetting_events=forgetting,
        learning_events=forgetting + (packed & 1) - (first_learned == 1),
        first_learned=first_learned,
        label_code=(packed >> _LABEL_SHIFT) & MAX_LABEL_CODE,
    )
