"""The sampler that prunes while training, against a slow schedule and an uninterrupted training."""

import io
import os
import random
import tempfile
import time
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import BatchSampler, DataLoader, TensorDataset

import curate
from curate.record import DistributedRecorder, sync
from curate.record.sampling.schedule import schedule
from tests.record.together import leave

CLASSES = 3


def slow_schedule(learned, keep, seed, epoch):
    """Of the learned those with the lowest lots, and all others, in the order of other lots."""
    n = len(learned)
    draws = np.random.Philox(np.random.SeedSequence((seed, epoch)))
    lots = [int(lot) for lot in draws.random_raw(n)]
    places = [int(lot) for lot in draws.random_raw(n)]
    known = sorted((i for i in range(n) if learned[i]), key=lambda i: lots[i])
    size = max(1, int(keep * len(known) + 0.5)) if known else 0
    shown = known[:size] + [i for i in range(n) if not learned[i]]
    return sorted(shown, key=lambda i: places[i]), len(known) / size if size else 1.0


def is_right(example, presentation):
    """Stands for a model: half of the examples are never forgotten, others come and go."""
    return example % 2 == 0 or (example * 7 + presentation * 3) % 5 < 2


def train_on(recorder, positions):
    """One step: logits that follow from the example and how often it was presented before."""
    seen = recorder.table()["presentations"].to_pylist()
    labels = torch.tensor([i % CLASSES for i in positions])
    right = torch.tensor([is_right(i, seen[i]) for i in positions])
    ids = recorder.table()["example_id"].take(positions).to_pylist()
    recorder.update(ids, logits_of(labels, right), labels)


def logits_of(labels, right):
    answers = torch.where(right, labels, (labels + 1) % CLASSES)
    return torch.nn.functional.one_hot(answers, CLASSES).float()


def steps_of(samplers, batch):
    """The batches of all ranks, step by step, each rank's after the one before."""
    loaders = [list(BatchSampler(sampler, batch, drop_last=False)) for sampler in samplers]
    assert len({len(loader) for loader in loaders}) == 1
    return [flat(step) for step in zip(*loaders, strict=True)]


def flat(batches):
    return [position for batch in batches for position in batch]


def learned_of(recorder):
    table = recorder.table()
    return (curate.score(table, "forgetting") == 0) & (table["presentations"].to_numpy() > 0)


def samplers_of(recorder, world, **options):
    options = {"epochs": 5, "keep": 0.4, "delta": 0.8, **options}
    return [
        curate.DynamicSampler(recorder, num_replicas=world, rank=rank, **options)
        for rank in range(world)
    ]


@given(
    learned=st.lists(st.booleans(), min_size=1, max_size=40),
    keep=st.floats(0.01, 1),
    seed=st.integers(0, 2**40),
    epoch=st.integers(0, 300),
)
def test_the_schedule_is_the_slow_one_and_its_weights_sum_to_the_examples(
    learned, keep, seed, epoch
):
    order, weight = schedule(np.array(learned), keep, seed, epoch)
    expected, expected_weight = slow_schedule(learned, keep, seed, epoch)
    assert order.tolist() == expected
    assert weight == expected_weight
    total = sum(weight if learned[i] else 1.0 for i in expected)
    assert total == pytest.approx(len(learned), rel=1e-12)


def test_the_weighted_gradient_of_an_epoch_is_unbiased():
    learned = np.array([True, False, True, True, True, False, True])
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(7, 3))
    draws = 4000
    counts, total = np.zeros(7), np.zeros(3)
    for seed in range(draws):
        order, weight = schedule(learned, 0.3, seed, 2)
        weights = np.where(learned, weight, 1.0)[order]
        counts[order] += weights
        total += weights @ gradients[order]
    # 2 of 5 (0.3 is 1.5 of them, rounded up): a weight of 2.5 with probability 0.4
    error = 2.5 * np.sqrt(0.4 * 0.6 / draws)
    assert np.abs(counts / draws - 1).max() < 4 * error
    assert np.abs(total / draws - gradients.sum(0)).max() < 4 * error * np.sqrt(5) * 2
    assert (counts[~learned] == draws).all()


@settings(max_examples=25)
@given(
    n=st.integers(7, 30),
    world=st.integers(1, 5),
    batch=st.integers(1, 6),
    seed=st.integers(0, 99),
    track=st.sampled_from(["all", "forgetting"]),
)
def test_ranks_share_the_schedule_of_one_process(n, world, batch, seed, track):
    recorder = curate.Recorder(n, track=track)
    samplers = samplers_of(recorder, world, seed=seed)
    ids = torch.arange(n)
    for epoch in range(5):
        learned = learned_of(recorder) if epoch < 4 else np.zeros(n, bool)
        expected, weight = slow_schedule(learned, 0.4, seed, epoch)
        shares = [list(sampler) for sampler in samplers]
        assert {len(share) for share in shares} == {len(expected) // world}
        assert [len(sampler) for sampler in samplers] == [len(share) for share in shares]
        together = [position for step in zip(*shares, strict=True) for position in step]
        assert together == expected[: len(together)]
        for sampler in samplers:
            assert sampler.epoch == epoch
            found = sampler.weights(ids)
            assert found.dtype == torch.float32
            assert found.tolist() == torch.where(torch.from_numpy(learned), weight, 1.0).tolist()
        for start in range(0, len(together), batch):
            train_on(recorder, together[start : start + batch])
        recorder.end_epoch()


@settings(max_examples=25)
@given(data=st.data(), world=st.integers(1, 3), batch=st.integers(1, 5), ends=st.booleans())
def test_a_training_resumed_at_any_step_goes_on_as_if_nothing_had_been(data, world, batch, ends):
    n, epochs = 17, 4
    ids = [f"x{i}" for i in range(n)]

    def begin():
        recorder = curate.Recorder(ids)
        return recorder, samplers_of(recorder, world, epochs=epochs, seed=5)

    def go_on(recorder, samplers, done, stop=None):
        """The steps taken; ends where ``stop`` of them are done in all."""
        taken = []
        while samplers[0].epoch < epochs:
            for step in steps_of(samplers, batch):  # all are fetched before the first is trained
                if done + len(taken) == stop or samplers[0].epoch == epochs:
                    return taken
                train_on(recorder, step)
                taken.append((samplers[0].epoch, step, samplers[0].weights(ids).tolist()))
            if ends:
                recorder.end_epoch()
        return taken

    whole = go_on(*begin(), 0)
    stop = data.draw(st.integers(0, len(whole)))
    recorder, samplers = begin()
    before = go_on(recorder, samplers, 0, stop)
    file = io.BytesIO()
    torch.save([recorder.state_dict(), samplers[0].state_dict()], file)
    saved = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
    recorder, samplers = begin()
    for sampler in samplers:
        sampler.load_state_dict(saved[1])
    recorder.load_state_dict(saved[0])  # in any order
    if before and samplers[0].epoch == before[-1][0]:
        assert samplers[0].weights(ids).tolist() == before[-1][2]
    assert before + go_on(recorder, samplers, len(before)) == whole


@pytest.mark.parametrize(("before", "done", "after"), [(1, 3, 3), (3, 2, 1), (2, 2, 4)])
def test_another_number_of_ranks_goes_on_with_the_rest_of_the_epoch(before, done, after):
    recorder = curate.Recorder(24)
    samplers = samplers_of(recorder, before)
    steps = steps_of(samplers, 2)
    for step in steps[:done]:
        train_on(recorder, step)
    others = samplers_of(recorder, after)
    for sampler in others:
        sampler.load_state_dict(samplers[0].state_dict())
    rest = flat(steps_of(others, 2))
    assert sorted(rest + flat(steps[:done])) == list(range(24))
    assert len(others[0]) == len(rest) // after


@pytest.mark.parametrize("delta", [0, 0.29, 0.3, 0.5, 0.7, 0.875, 1, 1.0])
@pytest.mark.parametrize("epochs", [1, 3, 7, 10, 100])
def test_as_many_epochs_are_pruned_as_delta_says_and_the_last_are_whole(epochs, delta):
    recorder = curate.Recorder(4)
    sampler = curate.DynamicSampler(recorder, epochs, keep=0.5, delta=delta)
    pruned = int(Fraction(str(delta)) * epochs)
    right = torch.eye(4)
    for epoch in range(epochs):
        shown = list(sampler)
        whole = epoch == 0 or epoch >= pruned  # nobody is learned before the first
        assert len(shown) == (4 if whole else 2), epoch
        assert sampler.weights(torch.arange(4)).tolist() == [1.0 if whole else 2.0] * 4
        recorder.update(shown, right[shown], torch.tensor(shown))
        recorder.end_epoch()


def test_one_that_was_forgotten_once_is_always_presented():
    recorder = curate.Recorder(3)
    for right in (True, False, True):
        recorder.update([0], torch.tensor([[1.0, 0.0] if right else [0.0, 1.0]]), [0])
    recorder.update([1], torch.tensor([[1.0, 0.0]]), [0])  # 2 was never presented
    sampler = curate.DynamicSampler(recorder, 9, keep=0.1)
    assert sampler.weights([0, 1, 2]).tolist() == [1.0, 1.0, 1.0]
    assert sorted(sampler) == [0, 1, 2]  # one of one: the share of few is at least one
    assert sampler.weights([0, 1, 2]).tolist() == [1.0, 1.0, 1.0]


def test_seeds_draw_apart_and_leave_the_generators_of_the_user_alone():
    def orders(seed):
        recorder = curate.Recorder(50)
        sampler = curate.DynamicSampler(recorder, 3, seed=seed)
        found = []
        for _ in range(3):
            found.append(list(sampler))
            train_on(recorder, found[-1])
            recorder.end_epoch()
        return found

    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    first = orders(0)
    assert states[0] == random.getstate()
    assert states[1] == np.random.get_state()[1].tolist()
    assert states[2] == torch.get_rng_state().tolist()
    torch.manual_seed(1)
    np.random.seed(1)
    assert orders(0) == first
    assert orders(1) != first
    assert len({tuple(order) for order in first}) == 3


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("drop_last", [True, False])
def test_epochs_end(marked, drop_last):
    recorder = curate.Recorder(10)
    sampler = curate.DynamicSampler(recorder, 4, keep=0.5, delta=0)
    dataset = curate.data.with_ids(TensorDataset(torch.arange(10)))
    loader = DataLoader(dataset, 4, sampler=sampler, drop_last=drop_last)
    for epoch in range(6):  # more than it was told of: whole ones
        next(iter(loader))  # a look that trains nothing costs nothing
        batches = [example_id for _, example_id in loader]
        assert sampler.epoch == epoch
        assert len(loader) == len(batches) == (2 if drop_last else 3)
        assert len(set(torch.cat(batches).tolist())) == (8 if drop_last else 10)
        for batch in batches:
            train_on(recorder, batch.tolist())
        if marked:
            recorder.end_epoch()


def test_a_loop_that_breaks_goes_on_with_the_rest_or_ends_the_epoch():
    recorder = curate.Recorder(10)
    sampler = curate.DynamicSampler(recorder, 4)
    first = list(sampler)  # nothing is trained on it, so the next loop gets the same
    assert [position for position, _ in zip(sampler, range(4), strict=False)] == first[:4]
    train_on(recorder, first[:4])
    assert list(sampler) == first[4:]
    assert len(sampler) == 6
    recorder.end_epoch()
    assert len(list(sampler)) > 6
    assert sampler.epoch == 1


def test_workers_that_fetch_ahead_change_nothing():
    def orders(**options):
        recorder = curate.Recorder(20)
        sampler = curate.DynamicSampler(recorder, 3, keep=0.3)
        loader = DataLoader(
            curate.data.with_ids(TensorDataset(torch.arange(20))), 4, sampler=sampler, **options
        )
        found = []
        for _ in range(3):
            for _, example_id in loader:
                found.append((example_id.tolist(), sampler.weights(example_id).tolist()))
                train_on(recorder, example_id.tolist())
            recorder.end_epoch()
        return found

    assert orders(num_workers=2, prefetch_factor=4, timeout=120) == orders()


def test_ids_are_exact(monkeypatch):
    ids = [2**24, 2**24 + 1, 2**53, 2**53 + 1, -(2**63), 2**63 - 1]
    recorder = curate.Recorder(ids)
    recorder.update(ids[1::2], torch.eye(3), torch.arange(3))  # every second one is learned
    sampler = curate.DynamicSampler(recorder, 4, keep=0.3)
    shown = list(sampler)
    assert len(shown) == 4
    assert {0, 2, 4} < set(shown)
    assert sampler.weights(ids).tolist() == [1.0, 3.0] * 3
    with pytest.raises(curate.CurateError, match="1 of 2 are no ids"):
        sampler.weights([2**24, 5])
    monkeypatch.setattr(sync, "is_free_to_read", lambda values: False)  # as on a GPU
    assert sampler.weights([2**24 + 1, 5]).tolist() == [3.0, 1.0]


def worker(rank, world, folder):
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world
    )
    with pytest.raises(curate.CurateError, match="a plain one on each of 2 processes"):
        curate.DynamicSampler(curate.Recorder(14), 4)
    recorder = DistributedRecorder(14)
    sampler = curate.DynamicSampler(recorder, 4, keep=0.4, delta=0.8, seed=3)
    shown = []
    for epoch in range(4):
        for batch in BatchSampler(sampler, 3, drop_last=False):
            labels = torch.tensor(batch) % CLASSES
            right = torch.tensor([is_right(i, epoch) for i in batch])
            recorder.update(batch, logits_of(labels, right), labels)
            shown.append((epoch, batch, sampler.weights(batch).tolist()))
        if epoch == 1:
            with pytest.raises(curate.CurateError, match="end_epoch"):
                list(sampler)
        recorder.end_epoch()
    torch.save(shown, os.path.join(folder, f"{rank}.pt"))
    leave()


def test_processes_that_train_together_share_one_schedule():
    world = 2
    with tempfile.TemporaryDirectory() as folder:
        context = mp.spawn(worker, (world, folder), nprocs=world, join=False)
        deadline = time.time() + 300
        try:
            while not context.join(timeout=5):
                assert time.time() < deadline, "the ranks hang"
        finally:
            for process in context.processes:
                process.kill()
        by_rank = [torch.load(os.path.join(folder, f"{rank}.pt")) for rank in range(world)]
    recorder = curate.Recorder(14)
    samplers = samplers_of(recorder, world, epochs=4, seed=3)
    expected = [[], []]
    for epoch in range(4):
        loaders = [list(BatchSampler(sampler, 3, drop_last=False)) for sampler in samplers]
        for batches in zip(*loaders, strict=True):
            for rank, batch in enumerate(batches):
                labels = torch.tensor(batch) % CLASSES
                right = torch.tensor([is_right(i, epoch) for i in batch])
                recorder.update(batch, logits_of(labels, right), labels)
                expected[rank].append((epoch, batch, samplers[rank].weights(batch).tolist()))
        recorder.end_epoch()
    assert by_rank == expected
    assert any(weight > 1 for shown in by_rank for _, _, step in shown for weight in step)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs: 0; give a whole number"),
        ({"epochs": 2.5}, "epochs: 2.5"),
        ({"keep": 0}, "keep: 0; give a share above 0"),
        ({"keep": float("nan")}, "keep: nan"),
        ({"delta": 1.5}, "delta: 1.5"),
        ({"seed": -1}, "seed: -1"),
        ({"num_replicas": 0}, "num_replicas: 0"),
        ({"num_replicas": 6}, "num_replicas: 6 for 5 examples"),
        ({"num_replicas": 2, "rank": 2}, "rank: 2; give a whole number from 0 to 1"),
        ({"recorder": curate.Recorder()}, "recorder: one that grows"),
        ({"recorder": 5}, "recorder: a int"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(options, message):
    options = {"recorder": curate.Recorder(5), "epochs": 3, **options}
    with pytest.raises(curate.CurateError, match=message):
        curate.DynamicSampler(options.pop("recorder"), options.pop("epochs"), **options)


def test_a_foreign_state_changes_nothing():
    sampler = curate.DynamicSampler(curate.Recorder(5), 3, seed=1)
    order = list(sampler)
    for other in (
        curate.DynamicSampler(curate.Recorder(6), 3, seed=1),
        curate.DynamicSampler(curate.Recorder(5), 3, seed=2),
        curate.DynamicSampler(curate.Recorder(5), 3, seed=1, keep=0.3),
    ):
        with pytest.raises(curate.CurateError, match="state: of a sampler with"):
            sampler.load_state_dict(other.state_dict())
    assert list(sampler) == order
    assert len(repr(sampler)) < 100
