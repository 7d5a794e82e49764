import os
import tempfile

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.utils.data import DistributedSampler

import curate
from curate.record import DistributedRecorder
from tests.record.together import leave

N, CLASSES, EPOCHS, BATCH = 23, 3, 4, 4
COUNTS = ("label", "presentations", "correct", "forgetting_events", "learning_events")


def logits_of(ids, epoch):
    """A deterministic stand-in for a model: the same for an example on any rank."""
    generator = torch.Generator().manual_seed(epoch)
    return torch.randn(N, CLASSES, generator=generator)[ids]


def shares(world, epoch):
    """Ids by rank and step, as the sampler deals them: repeats fill the last batch."""
    found = []
    for rank in range(world):
        sampler = DistributedSampler(range(N), world, rank, shuffle=True, seed=1)
        sampler.set_epoch(epoch)
        found.append(torch.tensor(list(sampler)).split(BATCH))
    return found


def one_process(world, options):
    recorder = curate.Recorder(N, history=True, **options)
    labels = torch.arange(N) % CLASSES
    for epoch in range(EPOCHS):
        by_rank = shares(world, epoch)
        for step in range(len(by_rank[0])):
            for rank in range(world):
                ids = by_rank[rank][step]
                recorder.update(ids, logits_of(ids, epoch), labels[ids])
        recorder.end_epoch()
    return recorder.table()


def worker(rank, world, options, folder):
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world
    )
    recorder = DistributedRecorder(N, history=True, **options)
    labels = torch.arange(N) % CLASSES
    for epoch in range(EPOCHS):
        for ids in shares(world, epoch)[rank]:
            recorder.update(ids, logits_of(ids, epoch), labels[ids])
        with pytest.raises(curate.CurateError, match="end_epoch"):
            recorder.table()
        recorder.end_epoch()
    recorder.save(os.path.join(folder, f"{rank}.parquet"))
    leave()


@pytest.mark.parametrize(("world", "track"), [(2, "all"), (3, "forgetting")])
def test_ranks_together_count_as_one_process(world, track):
    expected = one_process(world, {"track": track})
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(worker, (world, {"track": track}, folder), nprocs=world)
        tables = [curate.read(os.path.join(folder, f"{rank}.parquet")) for rank in range(world)]
    for table in tables:
        assert table.equals(tables[0])
        for name in expected.column_names:
            if name in COUNTS or name in ("first_learned", "history", "epoch_ends"):
                assert table[name].to_pylist() == expected[name].to_pylist(), name
            elif name != "example_id":
                assert table[name].to_numpy() == pytest.approx(expected[name].to_numpy(), rel=1e-6)


def test_without_a_process_group_it_says_so():
    with pytest.raises(curate.CurateError, match="init_process_group"):
        DistributedRecorder(3)
