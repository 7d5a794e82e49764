"""How many threads of torch a piece of work is worth."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

_WORTH_SHARING = 1 << 16
"""Batches of fewer elements run on one thread: below, threads wait for each other longer than
they work, and on a busy machine ten times as long."""


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


def threads_for(batch_size: int, elements: int) -> AbstractContextManager[None]:
    """Use one thread for small batches, and the caller's threads for others.

    Args:
        batch_size: examples per step.
        elements: in one example.
    """
    return one_thread() if batch_size * elements < _WORTH_SHARING else nullcontext()
