import pytest
import torch

from curate.threads import one_thread


@one_thread()
def fails():
    raise RuntimeError(f"{torch.get_num_threads()} inside")


def test_one_thread_inside_and_the_callers_after_an_error():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with pytest.raises(RuntimeError, match="1 inside"):
            fails()
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
