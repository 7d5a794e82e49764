"""How a process of a group ends."""

import time

import torch.distributed as dist


def leave() -> None:
    """Destroy the process group, once gloo's own thread has let go of its last tensor.

    torch 2.6 destroys the group with the interpreter locked and waits for that thread, which may
    itself be waiting for the lock, to free a tensor: the process then hangs for ever.
    """
    time.sleep(1)
    dist.destroy_process_group()
