"""Small steps are not worth sharing among threads."""

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
