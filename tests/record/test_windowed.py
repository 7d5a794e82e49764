"""DUAL, Dyn-Unc and TDDS against references that store every probability of every presentation."""

import math
import os
import statistics
import tempfile
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from hypothesis import given, settings
from hypothesis import strategies as st

import curate
from curate.record import DistributedRecorder
from curate.record.windowed.registry import WINDOWED
from tests.record.reference import softmax
from tests.record.together import leave

CLASSES = 4
ALL = tuple(WINDOWED)


def windows_of(values, size):
    return [values[k : k + size] for k in range(len(values) - size + 1)]


def slow_dyn_unc(distributions, label, window):
    stds = [statistics.stdev(w) for w in windows_of([p[label] for p in distributions], window)]
    return statistics.fmean(stds) if stds else None


def slow_dual(distributions, label, window):
    scores = [
        (1 - statistics.fmean(w)) * statistics.stdev(w)
        for w in windows_of([p[label] for p in distributions], window)
    ]
    return statistics.fmean(scores) if scores else None


def changes_of(distributions):
    return [
        abs(sum(a * math.log(a / b) for a, b in zip(now, before, strict=True)))
        for before, now in pairwise(distributions)
    ]


def slow_tdds(distributions, label, window):
    average = None
    for stretch in windows_of(distributions, window):
        average = 0.9 * statistics.pvariance(changes_of(stretch)) + 0.1 * (average or 0.0)
    return average


SLOW = {"dual": slow_dual, "dyn_unc": slow_dyn_unc, "tdds": slow_tdds}


def tolerance(name, distributions, window):
    """What rounding may do: a probability to 1/65,535, a contribution to 11 binary digits."""
    if name != "tdds":
        return 1e-5
    error = 2**-11 * max(changes_of(distributions)) + 1e-6
    largest = max(
        statistics.pvariance(changes_of(stretch)) for stretch in windows_of(distributions, window)
    )
    return 2 * error * math.sqrt(largest) + error**2


class Slow:
    """Every distribution of every example, in order."""

    def __init__(self):
        self.distributions, self.label = {}, {}

    def update(self, ids, logits, labels):
        for example, row, label in zip(ids.tolist(), logits.tolist(), labels.tolist(), strict=True):
            self.label[example] = label
            if all(map(math.isfinite, row)):
                self.distributions.setdefault(example, []).append(softmax(row))

    def check(self, table, window):
        for row in table.to_pylist():
            example = row["example_id"]
            for name in set(SLOW) & set(row):
                seen = self.distributions.get(example, [])
                expected = SLOW[name](seen, self.label.get(example), window)
                where = (example, name, row[name], expected)
                if expected is None:
                    assert row[name] is None, where
                else:
                    near = tolerance(name, seen, window)
                    assert row[name] == pytest.approx(expected, rel=1e-5, abs=near), where


def batches_of(seed, n, sizes, scale=2.0, bad=False):
    """Batches with repeats inside and between them."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, CLASSES, (n,), generator=generator)
    for size in sizes:
        ids = torch.randint(0, n, (size,), generator=generator)
        logits = scale * torch.randn(size, CLASSES, generator=generator)
        if bad:
            logits[torch.rand(size, generator=generator) < 0.1, 1] = torch.nan
        yield ids, logits, labels[ids]


def record(batches, n, **options):
    recorder, slow = curate.Recorder(n, also=ALL, **options), Slow()
    for ids, logits, labels in batches:
        recorder.update(ids, logits, labels)
        slow.update(ids, logits, labels)
    return recorder, slow


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 12),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=10),
    window=st.sampled_from([3, 4, 10]),
    scale=st.sampled_from([0.1, 2.0, 20.0]),
    bad=st.booleans(),
    flush=st.booleans(),
)
def test_equals_the_slow_reference(seed, n, sizes, window, scale, bad, flush):
    recorder, slow = curate.Recorder(n, also=ALL, window=window), Slow()
    for ids, logits, labels in batches_of(seed, n, sizes, scale, bad):
        recorder.update(ids, logits, labels)
        slow.update(ids, logits, labels)
        if flush:  # else all steps are worked on at once, and repeats lie within a batch
            recorder.flush()
    slow.check(recorder.table(), window)


@pytest.mark.parametrize("window", [3, 10])
def test_a_gpu_s_branchless_path_equals_the_slow_reference(window, monkeypatch):
    monkeypatch.setattr("curate.record.sync.is_free_to_read", lambda values: False)
    recorder, slow = record(batches_of(3, 20, [30] * 20, bad=True), 20, window=window)
    slow.check(recorder.table(), window)


def test_one_presentation_an_epoch_of_a_model_that_learns():
    """Probabilities that go to 1, where a rounding would show."""
    n, epochs = 50, 30
    recorder, slow = curate.Recorder(n, also=ALL), Slow()
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, CLASSES, (n,), generator=generator)
    speed = torch.rand(n, generator=generator)
    for epoch in range(epochs):
        logits = torch.randn(n, CLASSES, generator=generator) * 0.3
        logits[torch.arange(n), labels] += speed * epoch
        order = torch.randperm(n, generator=generator)
        for ids in order.split(16):
            recorder.update(ids, logits[ids], labels[ids])
            slow.update(ids, logits[ids], labels[ids])
        recorder.end_epoch()
    slow.check(recorder.table(), 10)


def bytes_of(recorder):
    tensors = [
        tensor
        for keeps in recorder._core.state.windowed.values()
        for tensor in keeps.tensors.values()
    ]
    return sum(tensor.nbytes for tensor in tensors) / (len(recorder) + 1)


@pytest.mark.parametrize("classes", [2, 4, 100])
def test_memory_is_what_is_said(classes):
    def recorded(also):
        recorder = curate.Recorder(999, also=also)
        recorder.update(torch.arange(9), torch.randn(9, classes), torch.zeros(9).long())
        recorder.flush()
        return recorder

    assert bytes_of(recorded(["dual", "dyn_unc"])) == 32
    assert bytes_of(recorded(["tdds"])) == 4 * classes + 16
    assert bytes_of(recorded([])) == 0


def test_only_what_was_asked_for_is_in_the_table_and_the_state():
    batches = list(batches_of(0, 9, [30] * 9))
    plain, _ = record_with(batches, 9, also=())
    assert not set(ALL) & set(plain.table().column_names)
    assert "windowed" not in plain.state_dict()
    some, _ = record_with(batches, 9, also="dyn_unc")
    assert [name for name in some.table().column_names if name in ALL] == ["dyn_unc"]
    assert curate.table.metadata(some.table())["recording"]["also"] == ["dyn_unc"]
    for name in plain.table().column_names:  # the others do not notice
        assert some.table()[name].equals(plain.table()[name])


def record_with(batches, n, **options):
    recorder = curate.Recorder(n, **options)
    for batch in batches:
        recorder.update(*batch)
    return recorder, None


@pytest.mark.parametrize("at", [0, 1, 6])
def test_the_state_goes_through_a_checkpoint_at_any_step(at, tmp_path):
    batches = list(batches_of(1, 9, [12] * 12))
    whole, slow = record(batches, 9, window=4)
    first, _ = record(batches[:at], 9, window=4)
    torch.save(first.state_dict(), tmp_path / "state.pt")
    again = curate.Recorder(9, also=ALL, window=4)
    again.update([0], torch.randn(1, CLASSES), torch.tensor([0]))  # is forgotten
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for batch in batches[at:]:
        again.update(*batch)
    assert again.table().equals(whole.table())
    slow.check(again.table(), 4)


def test_a_state_of_other_options_is_refused_and_an_old_one_loads():
    old = curate.Recorder(9).state_dict()
    assert "also" not in old
    curate.Recorder(9).load_state_dict(old)
    with pytest.raises(curate.CurateError, match=r"also is \[\], this Recorder's is \['dual'\]"):
        curate.Recorder(9, also=["dual"]).load_state_dict(old)
    assert "also=('dual',) in windows of 10" in repr(curate.Recorder(9, also=["dual"]))
    assert "also" not in repr(curate.Recorder(9))
    with pytest.raises(curate.CurateError, match="window is 4, this Recorder's is 10"):
        curate.Recorder(9, also=ALL).load_state_dict(
            curate.Recorder(9, also=ALL, window=4).state_dict()
        )


def test_binary_logits_are_two_classes():
    z, labels = torch.randn(12, 5), torch.tensor([0, 1, 0, 1, 1])
    one, two = (curate.Recorder(5, also=ALL, window=3) for _ in range(2))
    for step in z:
        one.update(torch.arange(5), step, labels)
        two.update(torch.arange(5), torch.stack([torch.zeros(5), step], 1), labels)
    for name in ALL:
        assert one.table()[name].to_numpy() == pytest.approx(two.table()[name].to_numpy(), rel=1e-5)


def test_what_has_no_distribution_is_refused_by_tdds_alone():
    logits, labels = torch.randn(2, 3), torch.ones(2, 3)
    with pytest.raises(curate.CurateError, match="also: 'tdds' needs one distribution"):
        curate.Recorder(2, also=["tdds"]).update([0, 1], logits, labels)
    recorder = curate.Recorder(2, also=["dual"], window=3)
    for _ in range(3):
        recorder.update([0, 1], torch.randn(2, 3), labels)
    assert recorder.table()["dual"].null_count == 0
    recorder = curate.Recorder(2, also=["tdds"])
    recorder.update([0, 1], torch.randn(2, 3), torch.tensor([0, 1]))
    recorder.update([0, 1], torch.randn(2, 4), torch.tensor([0, 1]))
    with pytest.raises(curate.CurateError, match="logits: 4 classes after 3"):
        recorder.table()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"also": ["aum"]}, "also: 'aum' is none of dual, dyn_unc, tdds"),
        ({"also": ALL, "window": 2}, "window: 2; give a number of presentations, 3 to"),
        ({"also": ALL, "window": 4.0}, "window: 4.0"),
        ({"also": "dual", "track": "forgetting"}, "also: 'dual' needs .* track='all'"),
    ],
)
def test_wrong_options_are_named(options, words):
    with pytest.raises(curate.CurateError, match=words):
        curate.Recorder(3, **options)


def test_merged_they_are_means_of_runs():
    tables = [record(batches_of(seed, 9, [30] * 9), 9, window=4)[0].table() for seed in range(2)]
    label = tables[0].column_names.index("label")
    tables = [table.set_column(label, "label", tables[0]["label"]) for table in tables]
    merged = curate.merge(tables)
    for name in ALL:
        expected = np.mean([table[name].to_numpy() for table in tables], 0)
        assert merged[name].to_numpy() == pytest.approx(expected)
        assert curate.score(merged, name) == pytest.approx(expected)


def worker(rank, world, folder):
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world
    )
    recorder = DistributedRecorder(9, also=ALL, window=3)
    for step, batch in enumerate(batches_of(5, 9, [13] * 12)):
        if step == 6:
            recorder.end_epoch()
        if step % (world + 1) == rank:  # the last of these is nobody's: one rank fewer than parts
            recorder.update(*batch)
        else:
            recorder.update(batch[0][:0], batch[1][:0], batch[2][:0])
    recorder.end_epoch()
    recorder.end_epoch()  # an epoch in which nobody saw anything
    recorder.save(os.path.join(folder, f"{rank}.parquet"))
    leave()


def test_ranks_together_count_as_one_process():
    world = 2
    recorder = curate.Recorder(9, also=ALL, window=3)
    for step, batch in enumerate(batches_of(5, 9, [13] * 12)):
        if step % (world + 1) < world:
            recorder.update(*batch)
    expected = recorder.table()
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(worker, (world, folder), nprocs=world)
        tables = [curate.read(os.path.join(folder, f"{rank}.parquet")) for rank in range(world)]
    for table in tables:
        for name in ALL:
            assert table[name].to_numpy() == pytest.approx(expected[name].to_numpy(), rel=1e-4)
