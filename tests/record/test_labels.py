"""Kinds of labels: told or declared once, never taken for another; unknown ones and masks."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import curate
from tests.record.reference import Reference, assert_matches

T = torch.tensor


def one_hot(labels, classes, dtype=torch.float32):
    return torch.nn.functional.one_hot(labels, classes).to(dtype)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    classes=st.sampled_from([2, 3, 10, 70]),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.int64, torch.uint8, torch.bool]),
    declared=st.booleans(),
)
def test_one_hot_labels_are_class_indices(seed, classes, dtype, declared):
    generator = torch.Generator().manual_seed(seed)
    recorder = curate.Recorder(6, kind="multiclass" if declared else None)
    reference, labels = Reference(), torch.randint(0, classes, (6,), generator=generator)
    for _ in range(3):
        ids = torch.randint(0, 6, (4,), generator=generator)
        logits = torch.randn(4, classes, generator=generator, dtype=torch.float64)
        recorder.update(ids, logits, one_hot(labels[ids], classes, dtype))
        reference.update(ids.tolist(), logits, labels[ids].tolist())
    assert_matches(recorder.table(), reference)


def test_labels_of_one_column_are_class_indices():
    logits = torch.randn(4, 3)
    one, two = curate.Recorder(4), curate.Recorder(4)
    one.update(range(4), logits, T([[0], [1], [2], [0]]))
    two.update(range(4), logits, T([0, 1, 2, 0]))
    assert one.table().equals(two.table())


SOFT = [
    T([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05]]),  # smoothing
    T([[0.3, 0.7, 0.0], [0.0, 1.0, 0.0]]),  # mixup
    T([[0.3, 0.7, 0.0], [0.0, 0.5, 0.0]]).half(),
    T([[0.9, 0.1, 0.8], [0.1, 0.1, 0.9]]),  # smoothed multilabel
]


@pytest.mark.parametrize("labels", SOFT)
@pytest.mark.parametrize("kind", [None, "multiclass", "multilabel"])
def test_soft_labels_are_refused_in_a_sentence_at_the_first_step(labels, kind):
    recorder = curate.Recorder(2, kind=kind)
    with pytest.raises(curate.CurateError, match="labels: soft ones.*mixup.*class indices"):
        recorder.update([0, 1], torch.randn(2, 3), labels)
    assert recorder.table()["presentations"].to_pylist() == [0, 0]


@pytest.mark.parametrize("labels", SOFT[:3])
@pytest.mark.parametrize("first", [T([0, 2]), one_hot(T([0, 2]), 3)])
def test_soft_labels_later_on_are_left_out_and_told(labels, first):
    recorder = curate.Recorder(2)
    recorder.update([0, 1], torch.randn(2, 3), first)
    recorder.update([0, 1], torch.randn(2, 3), labels)
    with pytest.raises(curate.CurateError, match="labels: . presentations.*not one-hot.*mask="):
        recorder.end_epoch()
    hard = (labels.amax(1) == 1).tolist()
    assert recorder.table()["presentations"].to_pylist() == [1 + right for right in hard]


def test_mixed_examples_are_left_out_by_their_mask():
    recorder = curate.Recorder(2)
    mask = T([True, False])
    recorder.update([0, 1], T([[2.0, 0.0], [2.0, 0.0]]), T([[1.0, 0.0], [0.4, 0.6]]), mask)
    recorder.end_epoch()
    assert recorder.table()["presentations"].to_pylist() == [1, 0]
    assert recorder.table()["label"].to_pylist() == [0, None]


@pytest.mark.parametrize(
    ("logits", "labels"),
    [(T([[1.5], [2.0]]), T([[1.4], [2.2]])), (T([1.5, 2.0]), T([-0.5, 3.0])),
     (torch.randn(2, 3), torch.randn(2, 3) * 9)],
)  # fmt: skip
def test_targets_of_a_regression_are_refused_at_once(logits, labels):
    with pytest.raises(curate.CurateError, match="labels: .*regression is not recorded"):
        curate.Recorder(2).update([0, 1], logits, labels)


def test_rows_of_several_ones_or_none_are_multilabel():
    for rows in ([[1, 1, 0], [0, 1, 0]], [[0, 0, 0], [0, 1, 0]], [[1, -1, 0], [0, 1, 0]]):
        recorder = curate.Recorder(2)
        recorder.update([0, 1], torch.randn(2, 3), T(rows))
        assert curate.table.metadata(recorder.table())["recording"]["kind"] == "multilabel"


def test_the_kind_can_be_declared_and_cannot_change():
    labels = T([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # one each, by chance
    recorder = curate.Recorder(2, kind="multilabel")
    recorder.update([0, 1], T([[3.0, 3.0, -3.0], [-3.0, 3.0, -3.0]]), labels)
    assert recorder.table()["correct"].to_pylist() == [0, 1]
    with pytest.raises(curate.CurateError, match="logits: multiclass after multilabel"):
        recorder.update([0, 1], torch.randn(2, 3), T([0, 1]))
    with pytest.raises(curate.CurateError, match="kind: 'softmax'; choose one of"):
        curate.Recorder(2, kind="softmax")
    with pytest.raises(curate.CurateError, match="multiclass after binary"):
        curate.Recorder(2, kind="binary").update([0], torch.randn(1, 3), T([0]))
    undecided = curate.Recorder(2)
    undecided.update([0], torch.randn(1, 3), T([[1.0, 0, 0]]), T([False]))
    undecided.update([], torch.randn(0, 3), torch.zeros(0, 3))
    undecided.update([0], torch.randn(1, 3), T([[1.0, 1.0, 0]]))
    assert undecided.table()["presentations"].to_pylist() == [1, 0]
    undecided.end_epoch()


def test_several_ones_in_a_run_of_one_hot_labels_are_told():
    recorder = curate.Recorder(2)
    recorder.update([0], torch.randn(1, 3), T([[1, 0, 0]]))
    recorder.update([0, 1], torch.randn(2, 3), T([[1, 0, 0], [1, 1, 0]]))
    with pytest.raises(curate.CurateError, match="kind='multilabel'"):
        recorder.end_epoch()
    assert recorder.table()["presentations"].to_pylist() == [2, 0]


def multilabel_slowly(row, labels):
    """What is recorded of one example by its known labels; None where none is known."""
    known = [(z, y) for z, y in zip(row, labels, strict=True) if y in (0.0, 1.0)]
    if not known:
        return None
    p = [1 / (1 + math.exp(-z)) for z, _ in known]
    of_label = [q if y else 1 - q for q, (_, y) in zip(p, known, strict=True)]
    return {
        "correct": int(all((z > 0) == (y == 1) for z, y in known)),
        "loss_mean": -sum(map(math.log, of_label)) / len(known),
        "margin_mean": min(z if y else -z for z, y in known),
        "confidence_mean": math.prod(of_label),
        "el2n_mean": math.sqrt(sum((1 - q) ** 2 for q in of_label)),
    }


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), how=st.sampled_from([-1.0, -100.0, math.nan, "mask"]))
def test_unknown_labels_have_no_part_in_an_example(seed, how):
    generator = torch.Generator().manual_seed(seed)
    n, size = 5, 4
    logits = torch.randn(n, size, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 2, (n, size), generator=generator).double()
    known = torch.rand(n, size, generator=generator) < 0.6
    expected = [
        multilabel_slowly(row, y)
        for row, y in zip(logits.tolist(), labels.masked_fill(~known, -1).tolist(), strict=True)
    ]
    logits[~known] = torch.where(torch.rand(int((~known).sum())) < 0.5, math.nan, 3.0).double()
    recorder = curate.Recorder(n, kind="multilabel")
    if how == "mask":
        recorder.update(range(n), logits, labels, mask=known)
    else:
        recorder.update(range(n), logits, labels.masked_fill(~known, how))
    recorder.end_epoch()
    for row, right in zip(recorder.table().to_pylist(), expected, strict=True):
        assert row["presentations"] == (right is not None)
        for name, value in (right or {}).items():
            assert row[name] == pytest.approx(value, rel=1e-12), name


def test_an_impossible_label_among_unknown_ones_is_named():
    recorder = curate.Recorder(2)
    recorder.update([0, 1], torch.randn(2, 2), T([[1, -1], [1, 7]]))
    with pytest.raises(curate.CurateError, match=r"labels: 1 presentations.*such as 7\)"):
        recorder.end_epoch()
    assert recorder.table()["presentations"].to_pylist() == [1, 0]


@pytest.mark.parametrize("bad", [-1.0, 2.0, -100.0, math.nan])
def test_a_binary_label_that_is_neither_0_nor_1_is_named_as_it_is(bad):
    recorder = curate.Recorder(2)
    recorder.update([0, 1], T([1.0, -1.0]), T([1.0, bad]))
    shown = "nan" if math.isnan(bad) else f"{bad:.0f}"
    with pytest.raises(curate.CurateError, match=rf"labels: 1 presentations.*such as {shown}\)"):
        recorder.end_epoch()
    assert recorder.table()["presentations"].to_pylist() == [1, 0]


@pytest.mark.parametrize("padding", [-1, -100])
def test_unknown_tokens_have_no_part_in_a_sequence(padding):
    logits = torch.randn(2, 4, 3, dtype=torch.float64)
    labels = T([[0, 1, 2, 0], [1, 1, 0, 2]])
    known = T([[True, False, True, True], [False, True, True, False]])
    by_label, by_mask = curate.Recorder(2), curate.Recorder(2)
    by_label.update([0, 1], logits, labels.masked_fill(~known, padding))
    by_mask.update([0, 1], logits, labels, mask=known)
    assert by_label.table().equals(by_mask.table())
    by_label.end_epoch()


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_a_mask_of_binary_examples_counts_in_either_shape(shape):
    recorder = curate.Recorder(3)
    mask = T([True, False, True]).reshape(shape)
    recorder.update(range(3), torch.randn(3, 1), T([[1.0], [0.0], [1.0]]), mask=mask)
    assert recorder.table()["presentations"].to_pylist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("logits", "labels", "mask"),
    [
        (torch.randn(3, 2), T([0, 1, 0]), torch.ones(3, 2).bool()),
        (torch.randn(3, 4, 2), torch.zeros(3, 4).long(), torch.ones(3, 2).bool()),
        (torch.randn(3, 4, 2), torch.zeros(3, 4).long(), torch.ones(3, 1).bool()),
        (torch.randn(3, 2), torch.ones(3, 2), torch.ones(3, 2)),
    ],
)
def test_a_mask_that_would_be_ignored_is_refused(logits, labels, mask):
    recorder = curate.Recorder(3)
    with pytest.raises(curate.CurateError, match="mask: "):
        recorder.update(range(3), logits, labels, mask=mask)
    assert recorder.table()["presentations"].to_pylist() == [0, 0, 0]


def test_the_layout_of_cross_entropy_is_named():
    with pytest.raises(curate.CurateError, match=r"\.transpose\(1, 2\)"):
        curate.Recorder(2).update([0, 1], torch.randn(2, 4, 5), torch.zeros(2, 5).long())


@pytest.mark.parametrize("on_gpu", [False, True])
@pytest.mark.parametrize("classes", [4, 70])
def test_classes_that_are_ruled_out_are_as_with_a_very_low_logit(classes, on_gpu, monkeypatch):
    if on_gpu:
        monkeypatch.setattr("curate.record.sync.is_free_to_read", lambda values: False)
    out, low = curate.Recorder(2), curate.Recorder(2)
    for _ in range(3):
        logits, labels = torch.randn(2, classes, dtype=torch.float64), T([0, 1])
        for recorder, value in ((out, -math.inf), (low, -1e9)):
            logits[:, 3:] = value
            recorder.update([0, 1], logits, labels)
    assert out.table()["non_finite"].to_pylist() == [0, 0]
    for name in out.table().column_names:
        a, b = out.table()[name].to_pylist(), low.table()[name].to_pylist()
        assert a == b or a == pytest.approx(b, rel=1e-12), name


def test_a_label_that_is_ruled_out_or_alone_is_not_finite():
    recorder = curate.Recorder(3)
    logits = T([[-math.inf, 1.0, 0.0], [math.inf, 0.0, -math.inf], [1.0, -math.inf, -math.inf]])
    recorder.update(range(3), logits, T([0, 0, 0]))
    assert recorder.table()["non_finite"].to_pylist() == [1, 1, 1]
    assert recorder.table()["correct"].to_pylist() == [0, 0, 0]


@pytest.mark.parametrize("on_gpu", [False, True])
@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int16, torch.int32])
def test_narrow_labels_and_ids_are_as_wide_ones(dtype, on_gpu, monkeypatch):
    if on_gpu:
        monkeypatch.setattr("curate.record.sync.is_free_to_read", lambda values: False)
    generator = torch.Generator().manual_seed(0)
    cases = [
        (torch.randn(4, 3, generator=generator), T([0, 1, 2, 0]), T([True, True, False, True])),
        (torch.randn(4, 5, 3, generator=generator), torch.randint(0, 3, (4, 5)), None),
        (torch.randn(4, 5, 3, generator=generator), torch.randint(0, 3, (4, 5)),
         torch.rand(4, 5) < 0.3),
        (torch.randn(4, generator=generator), T([0, 1, 1, 0]), T([False, True, False, True])),
        (torch.randn(4, 2, generator=generator), T([[0, 1], [1, 1], [0, 0], [1, 0]]), None),
    ]  # fmt: skip
    for logits, labels, mask in cases:
        wide, narrow = curate.Recorder(4), curate.Recorder(4)
        for _ in range(2):
            wide.update(torch.arange(4), logits, labels, mask)
            narrow.update(torch.arange(4).to(dtype), logits, labels.to(dtype), mask)
        assert wide.table().equals(narrow.table())


def test_padding_and_unknown_ids_of_narrow_sequences():
    labels = T([[0, 1, 2], [-100, -100, -100], [0, 0, 9]], dtype=torch.int32)
    recorder = curate.Recorder(3)
    recorder.update(range(3), torch.randn(3, 3, 4), labels)
    with pytest.raises(curate.CurateError, match=r"labels: 1 presentations.*such as 9\)"):
        recorder.end_epoch()
    assert recorder.table()["presentations"].to_pylist() == [1, 0, 0]
    recorder.update(np.array([0, 7, 1], np.int16), torch.randn(3, 3, 4), labels.clamp(0, 3))
    with pytest.raises(curate.CurateError, match=r"example_id: 1 presentations.*such as 7\)"):
        recorder.table()
