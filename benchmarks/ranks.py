"""What an epoch costs each of the ranks that train together: memory at its end, and time.

    python benchmarks/ranks.py [--presentations 2000000] [--ranks 1 2 4]

Each rank records its share of an epoch, then all exchange what they saw. 'log' is what a rank
holds when its epoch is recorded, 'peak' the most that it holds while the epoch ends, both in bytes
a presentation of this rank, above what the process held when the epoch began (the resident set, as
the kernel counts it; the recorder's own state is there by then). 'exchange'
is the time of ``end_epoch``. One thread a process. The maximum over the ranks is printed.
"""

import argparse
import gc
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from rich.console import Console
from rich.table import Table

from curate.record import DistributedRecorder

BATCH, CLASSES, GOAL = 4096, 10, 40


def resident(name: str) -> int:
    """``VmRSS`` or ``VmHWM`` of this process, bytes."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith(f"{name}:")) * 1024


def touch(recorder: DistributedRecorder, rank: int, ranks: int) -> None:
    """Present every example once, in small exchanges: then all that lasts is in memory."""
    ids = torch.arange(rank, len(recorder), ranks)
    for turn, part in enumerate(ids.split(BATCH)):
        recorder.update(part, torch.zeros(len(part), CLASSES), part % CLASSES)
        if turn % 8 == 0:
            recorder.exchange()
    recorder.end_epoch()


def epoch(recorder: DistributedRecorder, presentations: int, rank: int) -> dict[str, float]:
    """Record an epoch and end it; what the rank held above its start, in bytes, and seconds."""
    draws = torch.Generator().manual_seed(rank)
    logits = torch.randn(BATCH, CLASSES, generator=draws)
    gc.collect()
    before = resident("VmRSS")
    for start in range(0, presentations, BATCH):
        size = min(BATCH, presentations - start)
        ids = torch.randint(0, len(recorder), (size,), generator=draws)
        recorder.update(ids, logits[:size], ids % CLASSES)
    recorder.flush()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is that of the exchange
    held = resident("VmRSS") - before
    began = time.perf_counter()
    recorder.end_epoch()
    seconds = time.perf_counter() - began
    return {"log": held, "peak": resident("VmHWM") - before, "exchange": seconds}


def worker(rank: int, ranks: int, presentations: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=ranks
    )
    recorder = DistributedRecorder(presentations)
    touch(recorder, rank, ranks)
    found = epoch(recorder, presentations, rank)
    torch.save(found, Path(folder) / f"{rank}.pt")
    time.sleep(1)  # torch 2.6 can hang where gloo's thread still holds a tensor
    dist.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presentations", type=int, default=2_000_000, help="of each rank")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4])
    options = parser.parse_args()
    table = Table(title=f"{options.presentations:,} presentations of a rank, as many examples")
    for name in ("ranks", "log, bytes", "peak, bytes", "goal", "exchange, s"):
        table.add_column(name, justify="right")
    for ranks in options.ranks:
        with tempfile.TemporaryDirectory() as folder:
            mp.spawn(worker, (ranks, options.presentations, folder), nprocs=ranks)
            found = [torch.load(Path(folder) / f"{rank}.pt") for rank in range(ranks)]
        most = {name: max(each[name] for each in found) for name in found[0]}
        per = {name: most[name] / options.presentations for name in ("log", "peak")}
        table.add_row(
            str(ranks), f"{per['log']:.1f}", f"{per['peak']:.1f}", f"<= {GOAL}",
            f"{most['exchange']:.2f}",
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
