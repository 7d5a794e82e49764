"""How many threads of torch a piece of work is worth."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for work in thousands of small steps; the caller's threads come back at the end.

    At each step threads wait for each other. On a machine that is busy with something else they
    waited ten times as long as one thread needs.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


_WORTH_SHARING = 1 << 16
"""Numbers in a batch: below, threads wait for each other longer than they work, and on a busy
machine ten times as long."""


@contextmanager
def threads_for(batch_size: int, numbers: int) -> Iterator[None]:
    """One thread for batches of small examples; the caller's threads come back at the end.

    Args:
        batch_size: examples a step.
        numbers: in one example.
    """
    before = torch.get_num_threads()
    if batch_size * numbers < _WORTH_SHARING:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
