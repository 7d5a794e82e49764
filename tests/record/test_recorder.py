import io
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

import curate
from curate.record import buffer
from tests.record.reference import Reference, assert_matches

CLASSES = 4


def random_batches(seed, n, batches, size, ties=False):
    """Batches with repeats inside and between them; coarse logits tie often."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, CLASSES, (n,), generator=generator)
    for _ in range(batches):
        ids = torch.randint(0, n, (size,), generator=generator)
        logits = torch.randn(size, CLASSES, generator=generator, dtype=torch.float64)
        yield ids, logits.round() if ties else logits, labels[ids]


def record(batches, n, **options):
    recorder, reference = curate.Recorder(n, **options), Reference()
    for ids, logits, labels in batches:
        recorder.update(ids, logits, labels)
        reference.update(ids.tolist(), logits, labels.tolist())
    return recorder, reference


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 30),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    ties=st.booleans(),
    history=st.booleans(),
)
@example(seed=1635, n=9, sizes=[1, 27, 14], ties=True, history=False)  # equal confidences
def test_equals_the_slow_reference(seed, n, sizes, ties, history):
    batches = [
        batch
        for i, size in enumerate(sizes)
        for batch in random_batches(seed + i, n, 1, size, ties)
    ]
    labels = {int(i): int(y) for ids, _, ys in batches for i, y in zip(ids, ys, strict=True)}
    batches = [(ids, x, torch.tensor([labels[int(i)] for i in ids])) for ids, x, _ in batches]
    recorder, reference = record(batches, n, history=history)
    assert_matches(recorder.table(), reference)


def test_a_gpu_s_branchless_path_equals_the_slow_reference(monkeypatch):
    """What must not look at values, as on a GPU, run on the CPU."""
    batches = []
    for seed in range(6):
        found = list(random_batches(seed % 2, 30, 8, 24, ties=seed % 3 == 0))
        found[3][1][5, 1] = float("nan")
        batches += found
    labels = torch.arange(30) % CLASSES
    batches = [(ids, logits, labels[ids]) for ids, logits, _ in batches]
    monkeypatch.setattr("curate.record.sync.is_free_to_read", lambda values: False)
    recorder, reference = record(batches, 30, history=True)
    assert_matches(recorder.table(), reference)
    recorder.update([3, 77], torch.zeros(2, CLASSES), torch.tensor([9, 0]))
    with pytest.raises(curate.CurateError, match="example_id: 1 presentations.*77"):
        recorder.end_epoch()
    recorder.update([3, 4], torch.zeros(2, CLASSES), torch.tensor([9, 0]))
    with pytest.raises(curate.CurateError, match="labels: 1 presentations.*9"):
        recorder.end_epoch()
    before = {row["example_id"]: row["presentations"] for row in recorder.table().to_pylist()}
    assert before[4] == len(reference.outcomes[4]) + 1
    assert before[3] == len(reference.outcomes[3])


def test_updates_inside_and_outside_inference_mode_mix():
    recorder = curate.Recorder(3)
    batch = (torch.arange(3), torch.eye(3), torch.arange(3))
    with torch.inference_mode():
        recorder.update(*batch)
        recorder.flush()
    recorder.update(*batch)
    assert recorder.table()["correct"].to_pylist() == [2, 2, 2]


def test_batches_of_different_types_and_widths_mix():
    recorder, reference = curate.Recorder(4), Reference()
    for dtype, classes in ((torch.float32, 3), (torch.bfloat16, 3), (torch.float32, 5)):
        logits = torch.eye(4, classes).to(dtype)
        recorder.update(torch.arange(4, dtype=torch.int32), logits, torch.zeros(4).long())
        reference.update(range(4), logits, [0] * 4)
    assert_matches(recorder.table(), reference, 1e-6, 1e-6)


def test_chunks_of_the_buffer_do_not_show(monkeypatch):
    batches = list(random_batches(0, 50, 60, 16))
    whole = record(batches, 50)[0].table()
    monkeypatch.setattr(buffer, "ROWS", 16)
    monkeypatch.setattr("curate.record.recorder.ROWS", 16)
    batchwise = record(batches, 50)[0].table()
    for name in whole.column_names:
        np.testing.assert_allclose(
            whole[name].to_numpy().astype(float), batchwise[name].to_numpy().astype(float), 1e-12
        )


def test_forgetting_only_keeps_the_same_counts_in_eight_bytes():
    batches = list(random_batches(3, 40, 30, 16))
    everything = record(batches, 40)[0].table()
    recorder, _ = record(batches, 40, track="forgetting")
    table = recorder.table()
    assert table.column_names == [
        "example_id",
        "label",
        "presentations",
        "forgetting_events",
        "learning_events",
        "first_learned",
    ]
    for name in table.column_names:
        assert table[name].to_pylist() == everything[name].to_pylist()
    tensors = [v for v in recorder.state_dict().values() if isinstance(v, torch.Tensor)]
    per_example = sum(t.numel() * t.element_size() for t in tensors) / 41  # one row is ignored
    assert per_example <= 8


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_float_type_is_read_exactly(dtype):
    batches = [(i, x.to(dtype), y) for i, x, y in random_batches(5, 20, 10, 16)]
    recorder, reference = record(batches, 20)
    precise = 1e-12 if dtype == torch.float64 else 2e-6
    assert_matches(recorder.table(), reference, rel=precise, abs_=precise)


@pytest.mark.parametrize("classes", [2, 3, 64, 65, 1000])
def test_few_and_many_classes(classes):
    generator = torch.Generator().manual_seed(1)
    recorder, reference = curate.Recorder(7), Reference()
    labels = torch.randint(0, classes, (7,), generator=generator)
    for _ in range(5):
        ids = torch.randint(0, 7, (9,), generator=generator)
        logits = torch.randn(9, classes, generator=generator, dtype=torch.float64).round()
        recorder.update(ids, logits, labels[ids])
        reference.update(ids.tolist(), logits, labels[ids].tolist())
    assert_matches(recorder.table(), reference)


def test_extreme_logits_stay_exact():
    logits = torch.tensor([[40.0, 0.0, 0.0], [0.0, 1e30, -1e30], [-90.0, 0.0, 0.0]])
    recorder = curate.Recorder(3)
    recorder.update([0, 1, 2], logits, torch.tensor([0, 1, 0]))
    table = recorder.table()
    rest = 2 * np.exp(-40.0)
    np.testing.assert_allclose(table["last_loss"].to_pylist(), [rest, 0, 90 + np.log(2)], 1e-6)
    np.testing.assert_allclose(
        table["el2n_mean"][0].as_py(), np.sqrt(rest**2 + 2 * np.exp(-80.0)), 1e-6
    )


def test_non_finite_logits_are_wrong_counted_and_left_out_of_the_means():
    recorder, reference = curate.Recorder(3), Reference()
    rows = [[2.0, 1.0], [float("nan"), 0.0], [float("inf"), 0.0], [0.0, float("-inf")], [3.0, 1.0]]
    for i, row in enumerate(rows):
        logits = torch.tensor([row, row[::-1]])
        recorder.update([0, i % 2 + 1], logits, torch.tensor([0, 1]))
        reference.update([0, i % 2 + 1], logits, [0, 1])
    table = recorder.table()
    assert table["non_finite"].to_pylist()[0] == 3
    assert_matches(table, reference, rel=1e-6, abs_=1e-6)


def test_a_last_non_finite_presentation_has_no_last_loss():
    recorder = curate.Recorder(1)
    recorder.update([0], torch.tensor([[1.0, 0.0]]), torch.tensor([0]))
    recorder.update([0], torch.tensor([[float("nan"), 0.0]]), torch.tensor([0]))
    row = recorder.table().to_pylist()[0]
    assert row["last_loss"] is None
    assert row["forgetting_events"] == 1
    assert row["loss_mean"] == pytest.approx(np.log1p(np.exp(-1)))


def test_never_presented_and_never_learned_are_nulls_of_different_kinds():
    recorder = curate.Recorder(2)
    recorder.update([0], torch.tensor([[0.0, 1.0]]), torch.tensor([0]))
    learned, unseen = recorder.table().to_pylist()
    assert (learned["presentations"], learned["first_learned"]) == (1, None)
    assert learned["forgetting_events"] == 0
    assert unseen["presentations"] == 0
    assert {v for k, v in unseen.items() if k not in ("example_id", "presentations")} == {None}


def test_the_logits_are_neither_changed_nor_kept():
    logits = torch.randn(8, 3, requires_grad=True)
    before = logits.detach().clone()
    recorder = curate.Recorder(8)
    ids, labels = torch.arange(8), torch.zeros(8, dtype=torch.long)
    recorder.update(ids, logits, labels)
    with torch.no_grad():
        kept = logits.clone()
        logits.fill_(-5.0)  # a captured graph or an in-place step reuses the memory
        ids.fill_(3)
        labels.fill_(2)
    table = recorder.table()
    other = curate.Recorder(8)
    other.update(torch.arange(8), before, torch.zeros(8, dtype=torch.long))
    assert table.equals(other.table())
    assert torch.equal(kept, before)


@pytest.mark.parametrize("ids", [[30, -7, 10**12], ["b", "a", "ü/x.png"]])
def test_ids_of_any_kind(ids):
    recorder = curate.Recorder(ids)
    picks = [2, 0, 2, 1]
    given = [ids[i] for i in picks]
    logits = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    recorder.update(given, logits, torch.zeros(4, dtype=torch.long))
    recorder.update(np.array(given), logits, torch.zeros(4, dtype=torch.long))
    if isinstance(ids[0], int):
        recorder.update(torch.tensor(given), logits, torch.zeros(4, dtype=torch.long))
        recorder.update(torch.tensor(given[:0]), logits[:0], torch.zeros(0, dtype=torch.long))
    table = recorder.table()
    assert table["example_id"].to_pylist() == ids
    rounds = 3 if isinstance(ids[0], int) else 2
    assert table["presentations"].to_pylist() == [rounds, rounds, 2 * rounds]
    assert table["learning_events"].to_pylist() == [0, 0, rounds]


@pytest.mark.parametrize(
    ("ids", "bad", "shown"),
    [(10, 10, "10"), (10, -1, "-1"), ([5, 9], 7, "7"), (["a", "b"], "zzz", "zzz")],
)
def test_an_unknown_id_is_raised_at_the_end_and_harms_nothing(ids, bad, shown):
    recorder = curate.Recorder(ids)
    known = 0 if isinstance(ids, int) else ids[0]
    logits = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    recorder.update([known, bad, known], logits, torch.zeros(3, dtype=torch.long))
    with pytest.raises(curate.CurateError, match=f"example_id: 1 presentation.*{shown}"):
        recorder.end_epoch()
    row = recorder.table().to_pylist()[0]
    assert (row["presentations"], row["forgetting_events"]) == (2, 1)
    assert recorder.table()["presentations"].to_pylist()[1] == 0


@pytest.mark.parametrize("classes", [3, 100])
@pytest.mark.parametrize("bad", [-100, -1, 100, 2**40])
def test_an_impossible_label_is_raised_at_the_end_and_harms_nothing(classes, bad):
    recorder = curate.Recorder(2)
    logits = torch.zeros(2, classes)
    recorder.update([0, 1], logits, torch.tensor([0, bad]))
    with pytest.raises(curate.CurateError, match=f"labels: 1 presentation.*{bad}"):
        recorder.table()
    assert recorder.table()["presentations"].to_pylist() == [1, 0]


def test_masked_examples_are_left_out():
    recorder = curate.Recorder(3)
    mask = torch.tensor([True, False, True])
    recorder.update([0, 1, 2], torch.zeros(3, 2), torch.zeros(3, dtype=torch.long), mask=mask)
    recorder.update([0, 1, 2], torch.zeros(3), torch.zeros(3), mask=mask)
    assert recorder.table()["presentations"].to_pylist() == [2, 0, 2]


@pytest.mark.parametrize("shape", [(6,), (6, 1)])
def test_binary_is_two_classes_with_logits_zero_and_z(shape):
    generator = torch.Generator().manual_seed(2)
    binary, two = curate.Recorder(6), curate.Recorder(6)
    labels = torch.tensor([0, 1, 1, 0, 1, 0])
    for _ in range(6):
        z = torch.randn(6, generator=generator, dtype=torch.float64).round()
        binary.update(torch.arange(6), z.reshape(shape), labels.reshape(shape).float())
        two.update(torch.arange(6), torch.stack([torch.zeros(6), z], 1), labels)
    assert binary.table().equals(two.table())
    bce = torch.nn.functional.binary_cross_entropy_with_logits(z, labels.double(), reduction="none")
    np.testing.assert_allclose(binary.table()["last_loss"], bce, 1e-12)


def test_multilabel_is_correct_on_an_exact_match():
    logits = torch.tensor([[2.0, -1.0], [2.0, 1.0], [-3.0, 0.0]], dtype=torch.float64)
    labels = torch.tensor([[1, 0], [1, 0], [0, 0]])
    recorder = curate.Recorder(3)
    recorder.update([0, 1, 2], logits, labels)
    table = recorder.table()
    assert table["correct"].to_pylist() == [1, 0, 1]  # a logit of 0 predicts absent
    assert table["label"].null_count == 3
    bce = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, labels.double(), reduction="none"
    )
    np.testing.assert_allclose(table["last_loss"], bce.mean(1), 1e-12)
    np.testing.assert_allclose(table["margin_last"], [1.0, -1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(table["confidence_mean"], (-bce.sum(1)).exp(), 1e-12)
    distance = (torch.sigmoid(logits) - labels).norm(dim=1)
    np.testing.assert_allclose(table["el2n_mean"], distance, 1e-12)


@pytest.mark.parametrize("padding", ["mask", "-100"])
@pytest.mark.parametrize("at_once", [1, 10**6])
def test_sequences_are_correct_when_all_unpadded_tokens_are(padding, at_once, monkeypatch):
    monkeypatch.setattr("curate.record.outcomes._AT_ONCE", at_once)
    generator = torch.Generator().manual_seed(4)
    n, length, classes = 5, 6, 3
    lengths = [6, 3, 1, 0, 2]
    recorder = curate.Recorder(n, history=True)
    expected = {i: [] for i in range(n)}
    labels = torch.randint(0, classes, (n, length), generator=generator)
    mask = torch.tensor([[t < size for t in range(length)] for size in lengths])
    for _ in range(8):
        logits = 3 * torch.randn(n, length, classes, generator=generator, dtype=torch.float64)
        logits.scatter_add_(2, labels.unsqueeze(2), torch.full((n, length, 1), 4.0).double())
        if padding == "mask":
            recorder.update(range(n), logits, labels, mask=mask)
        else:
            recorder.update(range(n), logits, torch.where(mask, labels, -100))
        for i in range(n):
            tokens = range(lengths[i])
            if lengths[i]:
                right = [int(logits[i, t].argmax()) == labels[i, t] for t in tokens]
                losses = torch.nn.functional.cross_entropy(
                    logits[i, : lengths[i]], labels[i, : lengths[i]]
                )
                expected[i].append((all(right), sum(right) / len(right), losses.item()))
    for row in recorder.table().to_pylist():
        seen = expected[row["example_id"]]
        assert row["presentations"] == len(seen)
        assert row["history"] == [all_right for all_right, _, _ in seen]
        if seen:
            assert row["tokens_correct_mean"] == pytest.approx(np.mean([s for _, s, _ in seen]))
            assert row["loss_mean"] == pytest.approx(np.mean([loss for *_, loss in seen]))
            assert (row["margin_last"] > 0) == seen[-1][0]


def test_the_state_goes_through_a_checkpoint_at_any_step():
    batches = list(random_batches(7, 30, 20, 8))
    for history in (False, True):
        whole, _ = record(batches, 30, history=history)
        first, _ = record(batches[:9], 30, history=history)
        file = io.BytesIO()
        torch.save(first.state_dict(), file)
        file.seek(0)
        resumed = curate.Recorder(30, history=history)
        resumed.load_state_dict(torch.load(file, weights_only=True))
        for batch in batches[9:]:
            resumed.update(*batch)
        for name in whole.table().column_names:
            expected = whole.table()[name].to_pylist()
            if whole.table()[name].type == pa.float64():
                np.testing.assert_allclose(resumed.table()[name].to_pylist(), expected, 1e-12)
            else:
                assert resumed.table()[name].to_pylist() == expected


def test_a_checkpoint_of_another_recorder_is_refused():
    state = curate.Recorder(5).state_dict()
    for other in (
        curate.Recorder(6),
        curate.Recorder([4, 3, 2, 1, 0]),
        curate.Recorder(5, track="forgetting"),
        curate.Recorder(5, history=True),
    ):
        with pytest.raises(curate.CurateError, match="state: its"):
            other.load_state_dict(state)


def test_too_many_presentations_are_counted_not_wrapped(monkeypatch):
    recorder = curate.Recorder(2, history=False)
    ids = torch.zeros(16_000, dtype=torch.long)
    logits, labels = torch.tensor([[1.0, 0.0]]).expand(16_000, 2), ids
    for _ in range(4):
        recorder.update(ids, logits, labels)
    recorder.update(torch.tensor([1]), logits[:1], labels[:1])
    assert recorder.table()["presentations"].to_pylist() == [64_000, 1]
    recorder.update(ids, logits, labels)
    recorder.update(torch.tensor([1]), logits[:1], labels[:1])
    with pytest.raises(curate.CurateError, match="14465 presentations came after"):
        recorder.table()
    table = recorder.table()
    assert table["presentations"].to_pylist() == [65_535, 2]
    assert table["correct"].to_pylist() == [65_535, 2]
    assert table["forgetting_events"].to_pylist() == [0, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1], torch.zeros(3, 2), torch.zeros(3).long()), "example_id: 2 ids for 3"),
        (([0.5], torch.zeros(1, 2), torch.zeros(1).long()), "example_id: types"),
        ((torch.zeros(1), torch.zeros(1, 2), torch.zeros(1).long()), "example_id: torch.float32"),
        ((["a"], torch.zeros(1, 2), torch.zeros(1).long()), "example_id: strings"),
        (([0], torch.zeros(1, 2).long(), torch.zeros(1).long()), "logits: shape"),
        (([0], torch.zeros(1, 2), torch.zeros(1)), "logits: shape"),
        (([0], torch.zeros(1, 2), torch.zeros(1, 3)), "logits: shape"),
        (([0], torch.zeros(1, 2), torch.zeros(1).long(), torch.ones(2).bool()), "mask: "),
        (([0], torch.zeros(1, 2), torch.zeros(1).long(), torch.ones(1)), "mask: "),
    ],
)
def test_wrong_arguments_are_refused_at_once(arguments, message):
    recorder = curate.Recorder(3)
    with pytest.raises(curate.CurateError, match=message):
        recorder.update(*arguments)
    assert recorder.table()["presentations"].to_pylist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("n_or_ids", "options", "message"),
    [
        (0, {}, "n_or_ids: 0"),
        ([], {}, "n_or_ids: an empty"),
        ([1, 2, 1], {}, "the id 1 occurs more than once"),
        (["x", "x"], {}, "the id 'x' occurs more than once"),
        ([1, "x"], {}, "n_or_ids: ids of the types"),
        (3, {"track": "some"}, "track: 'some'"),
    ],
)
def test_wrong_construction_is_refused(n_or_ids, options, message):
    with pytest.raises(curate.CurateError, match=message):
        curate.Recorder(n_or_ids, **options)


@pytest.mark.parametrize("n", [1, 3])
def test_a_table_does_not_change_when_training_goes_on(n):
    recorder = curate.Recorder(n)
    batch = (torch.arange(n), torch.eye(n, 3), torch.zeros(n).long())
    recorder.update(*batch)
    table = recorder.table()
    before = table.to_pylist()
    recorder.update(*batch)
    recorder.flush()
    assert table.to_pylist() == before


def test_save_writes_what_table_shows(tmp_path):
    recorder, _ = record(random_batches(0, 10, 5, 8), 10, history=True)
    recorder.save(tmp_path / "deep" / "examples.parquet")
    back = curate.read(tmp_path / "deep" / "examples.parquet")
    assert back.equals(recorder.table())
    assert back.schema.field("margin_mean").metadata[b"description"].startswith(b"AUM")


def test_the_state_of_many_examples_is_eight_bytes_each_and_little_else():
    code = (
        "import curate, resource, torch; "
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024; "
        "few = curate.Recorder(8, track='forgetting'); "
        "batch = (torch.arange(8), torch.eye(8), torch.arange(8)); few.update(*batch); few.table();"
        "before = peak(); n = 50_000_000; many = curate.Recorder(n, track='forgetting'); "
        "many.update(*batch); many.end_epoch(); print((peak() - before) / n)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 8.5
