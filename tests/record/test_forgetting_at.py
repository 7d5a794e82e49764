import numpy as np
import pytest
import torch

import curate
from tests.record.reference import Reference, assert_matches

COUNTS = (
    "presentations",
    "correct",
    "forgetting_events",
    "learning_events",
    "first_learned",
)


@pytest.mark.parametrize("regular", [True, False])
def test_every_prefix_equals_a_recorder_stopped_there(regular):
    generator = torch.Generator().manual_seed(0)
    n, epochs = 23, 7
    labels = torch.randint(0, 3, (n,), generator=generator)
    recorder = curate.Recorder(n, history=True)
    stopped = curate.Recorder(n)
    snapshots = [stopped.table()]
    for _ in range(epochs):
        order = (
            torch.randperm(n, generator=generator)
            if regular
            else torch.randint(0, n, (n,), generator=generator)
        )
        for ids in order.split(5):
            logits = torch.randn(len(ids), 3, generator=generator)
            recorder.update(ids, logits, labels[ids])
            stopped.update(ids, logits, labels[ids])
        recorder.end_epoch()
        snapshots.append(stopped.table())
    table = recorder.table()
    assert ("epoch_ends" in table.column_names) == (not regular)
    for epoch, snapshot in enumerate(snapshots):
        prefix = curate.forgetting_at(table, epoch)
        for name in COUNTS:
            assert prefix[name].to_pylist() == snapshot[name].to_pylist(), (epoch, name)


def test_unmarked_epochs_are_presentations():
    recorder = curate.Recorder(2, history=True)
    for right in (True, False, True):
        logits = torch.tensor([[1.0, 0.0] if right else [0.0, 1.0]])
        recorder.update([0], logits, torch.tensor([0]))
    table = recorder.table()
    assert curate.forgetting_at(table, 1)["forgetting_events"].to_pylist() == [0, None]
    assert curate.forgetting_at(table, 2)["forgetting_events"].to_pylist() == [1, None]
    assert curate.forgetting_at(table, 3)["learning_events"].to_pylist() == [1, None]


def test_history_is_one_bit_a_presentation_in_memory():
    n, epochs = 4096, 16
    recorder = curate.Recorder(n, history=True)
    for _ in range(epochs):
        recorder.update(torch.randperm(n), torch.randn(n, 2), torch.zeros(n).long())
        recorder.end_epoch()
    held = sum(segment["outcomes"].numel() for segment in recorder.state_dict()["history"])
    assert held == n * epochs // 8
    assert all(segment["counts"] is None for segment in recorder.state_dict()["history"])


def test_many_presentations_before_the_epoch_ends(monkeypatch):
    monkeypatch.setattr("curate.record.history.PACK_AT", 10)
    recorder, reference = curate.Recorder(4, history=True), Reference()
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):
        ids = torch.randint(0, 4, (3,), generator=generator)
        logits = torch.randn(3, 2, generator=generator)
        recorder.update(ids, logits, torch.zeros(3).long())
        reference.update(ids.tolist(), logits, [0, 0, 0])
        recorder.flush()
    table = recorder.table()
    assert_matches(table, reference, 1e-6, 1e-6)
    np.testing.assert_array_equal(
        [len(h) for h in table["history"].to_pylist()], table["presentations"].to_pylist()
    )


def test_errors_name_the_mend():
    table = curate.Recorder(2).table()
    with pytest.raises(curate.CurateError, match="history=True"):
        curate.forgetting_at(table, 1)
    table = curate.Recorder(2, history=True).table()
    with pytest.raises(curate.CurateError, match="epoch: 1, but the table holds 0 epochs"):
        curate.forgetting_at(table, 1)


def test_presentations_after_the_last_that_is_counted_are_in_no_history():
    most, recorder = 65_535, curate.Recorder(2, history=True)
    right = torch.zeros(most + 10, 2)
    right[most - 1 :, 1] = 1.0  # wrong at the last that counts, and at all after it
    labels = torch.zeros(most + 10, dtype=torch.long)
    recorder.update(torch.zeros(most + 10, dtype=torch.long), right, labels)
    recorder.update([1], right[:1], labels[:1])
    with pytest.raises(curate.CurateError, match="example_id: 10 presentations came after"):
        recorder.end_epoch()
    table = recorder.table()
    assert table["presentations"].to_pylist() == [most, 1]
    assert [len(row) for row in table["history"].to_pylist()] == [most, 1]
    assert table["epoch_ends"].to_pylist() == [[most], [1]]
    assert table["forgetting_events"].to_pylist() == [1, 0]
    assert curate.forgetting_at(table, 1)["forgetting_events"].to_pylist() == [1, 0]
