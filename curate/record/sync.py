"""Where a value may be read while training runs."""

from torch import Tensor


def is_free_to_read(values: Tensor) -> bool:
    """Whether reading ``values`` costs nothing; reading from a GPU would wait for it.

    Where this is False, code must do without branches that depend on values. The tests make it
    False on the CPU, so that what runs on a GPU is tested without one.
    """
    return values.device.type == "cpu"
