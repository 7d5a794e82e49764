"""As many threads as a batch is worth."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

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
