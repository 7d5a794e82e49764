import pytest
import torch

from curate.threads import one_thread, threads_for


def test_small_batches_get_one_thread_and_the_callers_come_back():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with threads_for(32, 64):
            assert torch.get_num_threads() == 1
        with threads_for(128, 784):
            assert torch.get_num_threads() == 3
        with pytest.raises(KeyError), threads_for(32, 64):
            raise KeyError
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


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
