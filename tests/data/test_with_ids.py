import pickle
from collections import namedtuple

import numpy as np
import pytest
import torch
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    random_split,
)

from curate.data import as_example_set, ids_of, load, with_ids
from curate.errors import CurateError


class Dicts(Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        return {"x": torch.tensor(float(index)), "y": index % 2}


class Bare(Dicts):
    def __getitem__(self, index):
        return torch.tensor(float(index))


class Batched(Dicts):
    """Counts how its samples are fetched."""

    def __init__(self):
        self.batches = 0

    def __getitems__(self, indices):
        self.batches += 1
        return [(torch.tensor(float(index)), index % 2) for index in indices]


def numbers(count=6):
    return TensorDataset(torch.arange(count).float(), torch.arange(count) % 2)


def test_the_id_is_the_last_item_of_a_tuple():
    data = with_ids(numbers(), ids=[10, 11, 12, 13, 14, 15])
    value, label, example_id = data[2]
    assert (value, label, example_id) == (2.0, 0, 12)
    assert type(example_id) is int
    assert isinstance(data.ids, np.ndarray)
    assert data.ids.dtype == np.int64
    assert data.dataset.tensors[0].shape == (6,)


def test_a_dict_gains_a_key_and_anything_else_becomes_a_pair():
    assert with_ids(Dicts(), list("abcdef"))[1] == {"x": 1.0, "y": 1, "example_id": "b"}
    assert with_ids(Bare())[3] == (3.0, 3)
    Point = namedtuple("Point", "x y")
    assert with_ids([Point(1, 2)])[0] == (1, 2, 0)
    assert with_ids([[1, 2]])[0] == ([1, 2], 0)


def test_default_ids_are_positions_and_negative_indices_work():
    data = with_ids(numbers())
    assert data.ids.tolist() == list(range(6))
    assert data[-1] == data[5]
    assert [sample[-1] for sample in data] == list(range(6))  # a for loop ends
    assert data[torch.tensor(4)][-1] == 4
    with pytest.raises(IndexError):
        data[6]
    with pytest.raises(TypeError):
        data[1:3]


@pytest.mark.parametrize("indices", [[4, 1, 3], np.array([4, 1, 3]), torch.tensor([4, 1, 3])])
def test_a_subset_before_or_after_wrapping_has_the_same_ids(indices):
    inside = Subset(with_ids(numbers()), indices)
    outside = with_ids(Subset(numbers(), indices))
    both = with_ids(inside)
    assert list(ids_of(inside)) == list(ids_of(outside)) == list(both.ids) == [4, 1, 3]
    for first, second, third in zip(inside, outside, both, strict=True):
        assert first == second == third
    assert ids_of(Subset(numbers(), indices)) is None


def test_nested_subsets_keep_the_ids_of_the_root():
    inner = Subset(numbers(), [5, 4, 3, 2])
    assert with_ids(Subset(inner, [1, -1])).ids.tolist() == [4, 2]
    named = Subset(Subset(with_ids(numbers(), list("abcdef")), [5, 4, 3, 2]), [1, -1])
    assert ids_of(named) == ["e", "c"]
    parts = random_split(with_ids(numbers()), [4, 2])
    assert sorted([*ids_of(parts[0]), *ids_of(parts[1])]) == list(range(6))


def test_wrapping_twice_adds_one_id_only():
    data = with_ids(numbers())
    assert with_ids(data) is data
    renamed = with_ids(data, list("abcdef"))
    assert renamed[1] == (1.0, 1, "b")
    assert with_ids(with_ids(Dicts()), list("abcdef"))[1]["example_id"] == "b"
    digits = load("digits")
    assert with_ids(digits) is digits
    shifted = with_ids(digits, digits.ids + 10_000)
    assert len(shifted[0]) == 3
    assert shifted[0][2] == digits[0][2] + 10_000


def test_concatenated_sets_keep_their_ids_and_clashes_are_named():
    first = with_ids(numbers(2), ["a", "b"])
    second = with_ids(numbers(2), ["c", "d"])
    both = with_ids(ConcatDataset([first, second]))
    assert both.ids == ["a", "b", "c", "d"]
    assert both[2] == (0.0, 0, "c")
    assert with_ids(ConcatDataset([numbers(2), numbers(2)])).ids.tolist() == [0, 1, 2, 3]
    with pytest.raises(CurateError, match="'a' occurs at position 0 and again at position 2"):
        with_ids(ConcatDataset([first, first]))
    with pytest.raises(CurateError, match="some parts of the ConcatDataset"):
        with_ids(ConcatDataset([first, numbers(2)]))


def test_folds_put_together_have_the_positions_in_the_whole():
    whole, other = numbers(), numbers(3)
    folds = [Subset(whole, [4, 5]), Subset(whole, [1, 0])]
    assert with_ids(ConcatDataset(folds)).ids.tolist() == [4, 5, 1, 0]
    assert with_ids(ConcatDataset(folds[::-1])).ids.tolist() == [1, 0, 4, 5]
    mixed = ConcatDataset([Subset(whole, [5, 2]), other, Subset(whole, [0])])
    assert with_ids(mixed).ids.tolist() == [5, 2, 6, 7, 8, 0]
    assert with_ids(Subset(ConcatDataset([whole, other]), [7, 0])).ids.tolist() == [7, 0]
    assert with_ids(ConcatDataset([whole, whole])).ids.tolist() == list(range(12))


def test_a_subset_that_repeats_an_example_is_refused():
    with pytest.raises(CurateError, match="ids: 3 occurs at position 0 and again at position 2"):
        with_ids(Subset(numbers(), [3, 1, 3]))


# A fork of a process with threads, such as those of JAX, may hang.
SPAWNED = {"num_workers": 1, "multiprocessing_context": "spawn"}


@pytest.mark.parametrize("workers", [{}, {**SPAWNED, "num_workers": 2}])
def test_ids_follow_their_examples_through_a_shuffling_loader(workers):
    ids = [f"example {number}" for number in range(50)]
    loader = DataLoader(with_ids(numbers(50), ids), batch_size=7, shuffle=True, **workers)
    seen = {
        example_id: value.item()
        for values, _, batch_ids in loader
        for value, example_id in zip(values, batch_ids, strict=True)
    }
    assert seen == {example_id: float(number) for number, example_id in enumerate(ids)}
    integers = [batch[-1] for batch in DataLoader(with_ids(numbers(50)), batch_size=20)]
    assert [batch.dtype for batch in integers] == [torch.int64] * 3


def test_spawned_workers_can_unpickle_every_kind():
    data = with_ids(Subset(numbers(), [4, 1, 3]), ["x", "y", "z"])
    loader = DataLoader(data, batch_size=3, **SPAWNED)
    values, _, ids = next(iter(loader))
    assert (values.tolist(), list(ids)) == ([4.0, 1.0, 3.0], ["x", "y", "z"])
    for dataset in (with_ids(Dicts()), load("digits"), Subset(load("digits"), [1, 2])):
        again = pickle.loads(pickle.dumps(dataset))
        assert list(ids_of(again)) == list(ids_of(dataset))


def test_a_batch_is_fetched_in_one_call_where_the_inner_set_can():
    inner = Batched()
    for batch in DataLoader(with_ids(inner, [9, 8, 7, 6, 5, 4]), batch_size=3):
        values, _, ids = batch
        assert ids.tolist() == [9 - int(value) for value in values]
    assert inner.batches == 2
    assert with_ids(numbers()).__getitems__([4, 0]) == [(4.0, 0, 4), (0.0, 0, 0)]


def test_foreign_attributes_called_ids_are_not_mistaken_for_ours():
    class Coco(Bare):
        ids = (30, 31, 32, 33, 34, 35)

    assert with_ids(Coco())[1] == (1.0, 1)
    assert ids_of(Coco()) is None


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(3))


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (Stream(), "iterable-style"),
        (object(), "has no len"),
        ({"train": numbers()}, "splits"),
    ],
)
def test_what_cannot_be_wrapped_is_named(dataset, words):
    with pytest.raises(CurateError, match="dataset: ") as caught:
        with_ids(dataset)
    assert words in str(caught.value)


def test_a_sample_with_a_key_of_that_name_is_not_overwritten():
    data = with_ids([{"example_id": 7}])
    with pytest.raises(CurateError, match="already have the key 'example_id'"):
        data[0]


class Attributed(Dicts):
    classes = ("even", "odd")

    def __init__(self):
        self.targets = [0, 1] * 3
        self.transform = None
        self.epoch = 0
        self.ids = "mine"

    def set_epoch(self, epoch):
        self.epoch = epoch


def test_attributes_pass_both_ways():
    inner = Attributed()
    for data in (with_ids(inner), with_ids(with_ids(inner), range(6, 12))):
        assert data.classes == ("even", "odd")
        assert data.targets is inner.targets
        data.set_epoch(3)
        assert inner.epoch == 3
        data.transform = "resize"
        assert inner.transform == "resize"
        data.note = "of the wrapper"
        assert not hasattr(inner, "note")
        assert data.note == "of the wrapper"
        assert (inner.ids, len(data.ids)) == ("mine", 6)
        with pytest.raises(AttributeError, match="nothing"):
            _ = data.nothing
        again = pickle.loads(pickle.dumps(data))
        assert (again.targets, again.note, list(again.ids)) == (
            data.targets,
            data.note,
            list(data.ids),
        )
        inner.epoch, inner.transform = 0, None
    assert as_example_set(with_ids(load("digits", "test"), range(500))).ids.tolist() == list(
        range(500)
    )


Sample = namedtuple("Sample", "image label")
WithOwnId = namedtuple("WithOwnId", "image example_id")


@pytest.mark.parametrize("workers", [{}, SPAWNED])
def test_named_tuples_stay_named_tuples(workers):
    data = with_ids([Sample(torch.full((2,), float(n)), n % 2) for n in range(6)], list("abcdef"))
    assert type(data[1]).__name__ == "Sample"
    assert (data[1].label, data[1].example_id) == (1, "b")
    renamed = with_ids(data, range(6))
    assert renamed[1].example_id == 1
    batch = next(iter(DataLoader(renamed, 3, **workers)))
    assert batch.label.tolist() == [0, 1, 0]
    assert batch.example_id.tolist() == [0, 1, 2]
    assert batch.image[:, 0].tolist() == [0.0, 1.0, 2.0]
    with pytest.raises(CurateError, match="already have the field 'example_id'"):
        with_ids([WithOwnId(1, 2)])[0]


@pytest.mark.parametrize("prefetcher", [False, True])
def test_timm_makes_a_loader_of_it(prefetcher):
    data = pytest.importorskip("timm.data")
    from timm.data.loader import fast_collate
    from torchvision.datasets import FakeData

    def beside(batch):
        images, labels = fast_collate([(image, label) for image, label, _ in batch])
        ids = torch.tensor([example_id for *_, example_id in batch])
        return images, torch.stack([labels, ids], 1)

    pictures = FakeData(8, (3, 32, 32), num_classes=2)
    labels = [label for _, label in pictures]
    loader = data.create_loader(
        with_ids(pictures),
        (3, 32, 32),
        batch_size=4,
        is_training=True,
        num_workers=0,
        device=torch.device("cpu"),
        use_prefetcher=prefetcher,
        collate_fn=beside if prefetcher else None,
    )
    seen = {}
    for images, *rest in loader:
        assert images.shape == (4, 3, 32, 32)
        targets, ids = rest[0].unbind(1) if prefetcher else rest
        seen |= dict(zip(ids.tolist(), targets.tolist(), strict=True))
    assert seen == dict(enumerate(labels))
