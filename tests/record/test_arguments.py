"""What people pass: taken for what it is, or refused in one sentence."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch

import curate

GOOD = (np.random.default_rng(0).normal(size=(3, 2)), np.array([0, 1, 1]))


def recorded(ids, logits, labels, **options):
    recorder = curate.Recorder(options.pop("known", 3), **options)
    recorder.update(ids, logits, labels)
    recorder.end_epoch()
    return recorder.table()


@pytest.mark.parametrize(
    "ids",
    [
        [0, 1, 2], range(3), (0, 1, 2), np.arange(3), np.arange(3, dtype=np.uint8),
        np.arange(3, dtype=">i4"), np.arange(3)[::-1][::-1], np.arange(6)[::2] // 2,
        torch.arange(3, dtype=torch.int16), pa.array([0, 1, 2]), [np.int16(0), 1, torch.tensor(2)],
        np.arange(3, dtype=np.uint64), torch.arange(3).to(torch.uint16),
    ],
)  # fmt: skip
def test_ids_of_every_integer_type(ids):
    assert recorded(ids, *map(torch.from_numpy, GOOD)).equals(recorded(range(3), *GOOD))


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        GOOD,
        (GOOD[0].tolist(), GOOD[1].tolist()),
        (GOOD[0].astype(">f8"), GOOD[1].astype(">i2")),
        (GOOD[0][::-1][::-1], np.flip(np.flip(GOOD[1]))),
        (torch.from_numpy(GOOD[0]).requires_grad_(), torch.from_numpy(GOOD[1]).to(torch.uint8)),
        (torch.from_numpy(GOOD[0]), torch.from_numpy(GOOD[1]).to(torch.uint16)),
    ],
)
def test_logits_and_labels_of_every_library(logits, labels):
    assert recorded(range(3), logits, labels).equals(recorded(range(3), *GOOD))


X, Y = torch.randn(2, 3), torch.tensor([0, 1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1], SimpleNamespace(logits=X), Y), "logits: a SimpleNamespace; give its .logits"),
        (([0, 1], {"logits": X}, Y), "logits: a dict; give its .logits"),
        (([0, 1], {"loss": X}, Y), "logits: a dict"),
        (([0, 1], None, Y), "logits: a NoneType"),
        (([0, 1], "abcd", Y), "logits: a str"),
        (([0, 1], X.to_sparse(), Y), "logits: a tensor of layout"),
        (([0, 1], X.to("meta"), Y), "logits: a tensor on the device 'meta'"),
        (([0, 1], torch.nested.nested_tensor([X[0], X[1, :2]]), Y), "logits: .* layout nested"),
        (([0, 1], X.to(torch.float8_e4m3fn), Y), r"logits: .*float8_e4m3fn; give its .float\(\)"),
        (([0, 1], torch.randn(2, 0), Y), "logits: shape"),
        (([0, 1], X.to(torch.complex64), Y), "logits: shape"),
        (([0, 1], X, None), "labels: a NoneType"),
        (([0, 1], X, "ab"), "labels: a str"),
        (([0, 1], X, ["cat", "dog"]), "labels: a list"),
        ((None, X, Y), "example_id: None is no list"),
        ((1, X, Y), "example_id: 1 is no list"),
        (("ab", X, Y), "example_id: 'ab' is no list"),
        (([True, False], X, Y), "example_id: types"),
        (([None, 1], X, Y), "example_id: types"),
        ((torch.tensor([0, 1]).to_sparse(), X, Y), "example_id: a tensor of layout"),
        (([0, 2**63], X, Y), "example_id: .*64 bits"),
        ((np.array([0, 2**63], np.uint64), X, Y), "example_id: .*64 bits"),
        ((torch.tensor([0, 2**63], dtype=torch.uint64), X, Y), "example_id: .*64 bits"),
        (([0, 1], X, Y, "abcd"), "mask: a str"),
        (([0, 1], X, Y, [1, 0]), "mask: torch.int64"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(arguments, message):
    recorder = curate.Recorder(2)
    with pytest.raises(curate.CurateError, match=message):
        recorder.update(*arguments)
    recorder.update([0, 1], X, Y)
    assert recorder.table()["presentations"].to_pylist() == [1, 1]


@pytest.mark.parametrize(
    ("n_or_ids", "options", "message"),
    [
        (2.5, {}, "n_or_ids: 2.5"),
        (True, {}, "n_or_ids: True"),
        ("abc", {}, "n_or_ids: 'abc'"),
        ([2**63], {}, "n_or_ids: .*64 bits"),
        (np.array([2**63 + 5, 7], np.uint64), {}, "n_or_ids: .*64 bits"),
        (["\ud800"], {}, "n_or_ids: .*Unicode"),
        (np.zeros((2, 3), int), {}, r"n_or_ids: an array of shape \(2, 3\)"),
        ([True, False], {}, "n_or_ids: ids of the types"),
        (0, {}, "n_or_ids: 0 examples"),
        (10**30, {}, "n_or_ids: 10+ examples"),
        (2, {"device": "quantum"}, "device: 'quantum'"),
        (2, {"also": None}, "also: None; give a list"),
        (2, {"also": 3}, "also: 3; give a list"),
    ],
)
def test_what_makes_no_recorder(n_or_ids, options, message):
    with pytest.raises(curate.CurateError, match=message):
        curate.Recorder(n_or_ids, **options)


def test_numbers_of_examples_of_any_integer_type():
    assert len(curate.Recorder(np.int64(5))) == 5
    assert len(curate.Recorder(np.array([5, 3], np.uint64))) == 2


def test_an_empty_batch_is_nothing_with_ids_of_any_kind():
    for ids in (3, ["a", "b", "c"], None):
        recorder = curate.Recorder(ids)
        recorder.update([], torch.randn(0, 3), torch.zeros(0, dtype=torch.long))
        recorder.update(np.array([], np.int32), torch.randn(0, 5, 3), torch.zeros(0, 5).long())
        first = "a" if isinstance(ids, list) else 0
        recorder.update([first], torch.randn(1, 3), torch.tensor([0]))
        assert sum(recorder.table()["presentations"].to_pylist()) == 1


@pytest.mark.parametrize("masked", [False, True])
def test_the_lowest_id_is_an_id_like_any_other(masked):
    lowest = torch.iinfo(torch.int64).min
    recorder = curate.Recorder([5, lowest])
    mask = torch.tensor([True, True, False]) if masked else None
    recorder.update([lowest, 5, 5], torch.randn(3, 2), torch.tensor([0, 1, 1]), mask)
    assert recorder.table()["presentations"].to_pylist() == [1 if masked else 2, 1]
    other = curate.Recorder(2)
    other.update([0, lowest, 1], torch.randn(3, 2), torch.tensor([0, 1, 1]), mask)
    with pytest.raises(curate.CurateError, match=f"example_id: 1 presentations.*{lowest}"):
        other.end_epoch()


def test_logits_of_half_precision_are_read_alike_under_autocast():
    logits, labels = torch.randn(3, 2).half(), torch.tensor([0, 1, 1])
    recorder = curate.Recorder(3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        recorder.update(range(3), logits, labels)
        recorder.flush()
    assert recorder.table().equals(recorded(range(3), logits, labels).cast(recorder.table().schema))


def test_kinds_of_tensors_that_refuse_to_be_mixed_are_read_as_tensors():
    class Image(torch.Tensor):
        pass

    class Category(torch.Tensor):
        pass

    def refuse(cls, function, types, arguments=(), options=None):
        if not all(issubclass(cls, each) for each in types):
            return NotImplemented
        return torch.Tensor.__torch_function__.__func__(cls, function, types, arguments, options)

    Image.__torch_function__ = Category.__torch_function__ = classmethod(refuse)
    logits, labels = map(torch.from_numpy, GOOD)
    recorder, plain = curate.Recorder(3), curate.Recorder(3)
    for _ in range(2):
        mask = torch.tensor([True, True, False])
        plain.update(torch.arange(3), logits, labels, mask)
        recorder.update(
            torch.arange(3).as_subclass(Category),
            logits.as_subclass(Image),
            labels.as_subclass(Category),
            mask.as_subclass(Image),
        )
    assert recorder.table().equals(plain.table())


def test_the_default_dtype_of_torch_changes_nothing():
    def windowed():
        logits, labels = np.tile(GOOD[0], (4, 1)), np.tile(GOOD[1], 4)
        return recorded([0, 0, 1] * 4, logits, labels, also=["tdds", "dual"], window=3)

    plain = windowed()
    torch.set_default_dtype(torch.float64)
    try:
        other = windowed()
    finally:
        torch.set_default_dtype(torch.float32)
    assert other.drop_columns("tdds").equals(plain.drop_columns("tdds"))
    assert other["tdds"].to_pylist()[:2] == pytest.approx(plain["tdds"].to_pylist()[:2])
