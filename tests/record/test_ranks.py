"""Ranks that disagree, refuse, go back or meet unknown ids: told on all of them, or set right."""

import os
import tempfile
import warnings

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

import curate
from curate.record import DistributedRecorder
from tests.record.together import leave

WORLD, N = 2, 10


def meet(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=WORLD
    )


def step(recorder, ids, seed):
    logits = torch.randn(20, 3, generator=torch.Generator().manual_seed(seed))
    numbers = [int(str(i).removeprefix("x")) for i in ids]
    recorder.update(ids, logits[numbers], torch.tensor(numbers) % 3)


def presentations(recorder):
    return recorder.table()["presentations"].to_pylist()


def disagreeing(rank, folder):
    meet(rank, folder)
    cases = [
        ("ids", DistributedRecorder(range(N) if rank else list(range(N))[::-1])),
        ("track", DistributedRecorder(N, track="all" if rank else "forgetting")),
        ("history", DistributedRecorder(N, history=bool(rank))),
        ("also", DistributedRecorder(N, also=["dual"] if rank else [])),
        ("kind", DistributedRecorder(N)),
    ]
    for name, recorder in cases:
        if name == "kind" and rank:
            recorder.update([1], torch.randn(1, 3, 2), torch.zeros(1, 3).long())
        else:
            step(recorder, [1, 2], 0)
        with pytest.raises(curate.CurateError, match=f"{name}: the ranks do not agree"):
            recorder.end_epoch()
    leave()


def going_on(rank, folder):
    """One epoch with an unknown id on rank 1, a refused step on rank 0, and a way back."""
    meet(rank, folder)
    recorder, one = DistributedRecorder(N, history=True), curate.Recorder(N, history=True)
    mine, theirs = ([0, 1, 2], [3, 4]), ([5, 3], [6, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the plain one, for comparison
        for turn in range(2):
            if rank == 0 and turn == 0:
                with pytest.raises(curate.CurateError):
                    recorder.update([0], torch.randn(2, 3), torch.tensor([0, 1]))
            elif turn == 0:
                step(recorder, [9], 5)
            step(recorder, (mine, theirs)[rank][turn], turn)
            if turn == 0:
                step(one, [9], 5)
                recorder.exchange()  # in the middle of an epoch
            step(one, mine[turn], turn)
            step(one, theirs[turn], turn)
    recorder.end_epoch()
    one.end_epoch()
    for name in ("presentations", "correct", "forgetting_events", "history"):
        assert recorder.table()[name].to_pylist() == one.table()[name].to_pylist(), name
    state, before = recorder.state_dict(), recorder.table()
    step(recorder, mine[0], 3)
    recorder.load_state_dict(state)  # what was not exchanged is forgotten
    recorder.end_epoch()
    for name in before.column_names:
        if name != "epoch_ends":
            assert recorder.table()[name].equals(before[name]), name
    if rank == 1:
        recorder.update([1, 77], torch.randn(2, 3), torch.tensor([0, 1]))
    with pytest.raises(curate.CurateError, match="example_id: 1 presentations.*77"):
        recorder.end_epoch()
    recorder.end_epoch()  # once, on all
    assert sum(presentations(recorder)) == sum(before["presentations"].to_pylist()) + 1
    leave()


def growing(rank, folder):
    meet(rank, folder)
    recorder = DistributedRecorder(history=True)
    shares = ([["x0", "x1"], ["x2", "x0"]], [["x5", "x1"], ["x0", "x6"]])[rank]
    for turn, ids in enumerate(shares):
        step(recorder, ids, turn)
        recorder.end_epoch()
    recorder.save(os.path.join(folder, f"{rank}.parquet"))
    leave()


def plain(rank, folder):
    meet(rank, folder)
    with pytest.warns(UserWarning, match="one of 2 processes.*DistributedRecorder"):
        step(curate.Recorder(N), [1], 0)
    leave()


@pytest.mark.parametrize("worker", [disagreeing, going_on, plain])
def test_ranks(worker):
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(worker, (folder,), nprocs=WORLD)


def test_ranks_that_grow_count_as_one_process():
    one = curate.Recorder(history=True)
    for turn, parts in enumerate([(["x0", "x1"], ["x5", "x1"]), (["x2", "x0"], ["x0", "x6"])]):
        for ids in parts:
            step(one, ids, turn)
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(growing, (folder,), nprocs=WORLD)
        tables = [curate.read(os.path.join(folder, f"{rank}.parquet")) for rank in range(WORLD)]
    assert tables[0].equals(tables[1])
    expected = {row["example_id"]: row for row in one.table().to_pylist()}
    assert len(tables[0]) == len(expected)
    for row in tables[0].to_pylist():
        for name in ("label", "presentations", "correct", "forgetting_events", "history"):
            assert row[name] == expected[row["example_id"]][name], name
