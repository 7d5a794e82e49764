"""Moving tensors between ranks."""

import warnings
from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor


def ranks_together() -> int:
    """How many processes train together; 1 without a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def warn_of_ranks() -> None:
    """Say that a plain Recorder sees one rank's share only."""
    ranks = ranks_together()
    if ranks > 1:
        warnings.warn(
            f"Recorder: this is one of {ranks} processes that train together, so it records its "
            "own share only; use curate.record.DistributedRecorder",
            stacklevel=4,
        )


def wire_device() -> torch.device:
    """Where tensors must lie for the default process group to move them."""
    if dist.get_backend() == "nccl":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


def to_owners(columns: Sequence[Tensor], owners: Tensor) -> list[Tensor]:
    """Send every row to the rank that owns it.

    Args:
        columns: tensors (N, ...), the same on all ranks but for N.
        owners: (N,) int64, a rank each.

    Returns:
        The rows that are this rank's, rank by rank, in order within a rank.
    """
    wire, ranks = wire_device(), dist.get_world_size()
    order = owners.sort(stable=True).indices
    sent = torch.bincount(owners, minlength=ranks).to(wire)
    received = torch.empty_like(sent)
    dist.all_to_all_single(received, sent)
    outward, inward = sent.tolist(), received.tolist()
    found = []
    for column in columns:
        mine = column.new_empty((sum(inward), *column.shape[1:]), device=wire)
        dist.all_to_all_single(mine, column[order].to(wire).contiguous(), inward, outward)
        found.append(mine)
    return found


def share(values: Tensor, bounds: Sequence[tuple[int, int]]) -> None:
    """Copy to all ranks the rows that each of them owns, in place: rank r has ``bounds[r]``."""
    wire = wire_device()
    for rank, (start, end) in enumerate(bounds):
        if start == end:
            continue
        part = values[start:end].view(torch.uint8)  # gloo knows no type of 16 bits
        carried = part.to(wire)
        dist.broadcast(carried, rank)
        if carried.data_ptr() != part.data_ptr():
            part.copy_(carried)


def gathered(values: Tensor) -> list[Tensor]:
    """The (N,) tensors of all ranks, of any lengths, on the CPU."""
    wire = wire_device()
    size = torch.tensor([len(values)], device=wire)
    sizes = [torch.empty_like(size) for _ in range(dist.get_world_size())]
    dist.all_gather(sizes, size)
    most = max(map(int, sizes))
    padded = values.new_zeros(most, device=wire)
    padded[: len(values)] = values
    parts = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(parts, padded)
    return [part[: int(length)].cpu() for part, length in zip(parts, sizes, strict=True)]
