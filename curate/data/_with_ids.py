"""Wrapping a map-style data set so that every sample carries its example id."""

import operator
from collections import namedtuple
from collections.abc import Mapping
from functools import cache
from typing import Any, overload

import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, Dataset, IterableDataset, Subset

from curate.data.example_set import ExampleSet
from curate.data.formats.hugging_face import id_column, is_hugging_face, with_id_column
from curate.data.formats.stored_rows import stored_rows
from curate.data.ids import Ids, checked_ids, take_ids
from curate.errors import CurateError


class WithIds(Dataset[Any]):
    """A data set whose samples carry their id; made by :func:`with_ids`.

    Whatever else is asked of it is asked of the data set that was wrapped, and what that has is
    set there: ``targets``, ``classes``, ``transform`` (as timm's ``create_loader`` sets it),
    ``set_epoch`` …

    Attributes:
        dataset: the data set that was wrapped, with all its attributes.
        ids: int64 array of shape (n,) or list of n strings, by position.
    """

    def __init__(self, dataset: Any, ids: Ids, carries_ids: bool) -> None:
        # straight into the dictionary: the data set may have attributes of these names
        self.__dict__.update(dataset=dataset, ids=ids, _carries_ids=carries_ids)

    def __getattr__(self, name: str) -> Any:
        # before there is a data set (in unpickling), and for Python's own names: not here
        if name.startswith("__") or "dataset" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.dataset, name)

    def __setattr__(self, name: str, value: Any) -> None:
        inner = self.__dict__.get("dataset")
        if name in self.__dict__ or inner is None or not hasattr(inner, name):
            super().__setattr__(name, value)
        else:
            setattr(inner, name, value)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({type(self.dataset).__name__}, {len(self):,} examples)"

    def __getitem__(self, index: Any) -> Any:
        position = operator.index(index)
        example_id = self.ids[position]  # before the fetch: an IndexError here ends a for loop
        return self._joined(self.dataset[position], example_id)

    def __getitems__(self, indices: list[int]) -> list[Any]:
        """A batch of samples, fetched in one call where the wrapped data set can."""
        fetch = getattr(self.dataset, "__getitems__", None)
        if not callable(fetch):
            return [self[index] for index in indices]
        ids = [self.ids[index] for index in indices]
        return [self._joined(*pair) for pair in zip(fetch(indices), ids, strict=True)]

    def _joined(self, sample: Any, example_id: Any) -> Any:
        if not isinstance(example_id, str):
            example_id = int(example_id)
        if isinstance(sample, Mapping):
            if "example_id" in sample and not self._carries_ids:
                raise CurateError(
                    "dataset: its samples already have the key 'example_id'; rename that key in "
                    "the data set"
                )
            return {**sample, "example_id": example_id}
        if hasattr(sample, "_fields") and isinstance(sample, tuple):
            return self._named(sample, example_id)
        if self._carries_ids:
            return (*sample[:-1], example_id)
        return (*sample, example_id) if isinstance(sample, tuple) else (sample, example_id)

    def _named(self, sample: Any, example_id: Any) -> Any:
        if "example_id" not in sample._fields:
            return named_sample(type(sample), (*sample, example_id))
        if self._carries_ids:
            return sample._replace(example_id=example_id)
        raise CurateError(
            "dataset: its samples already have the field 'example_id'; rename that field in the "
            "data set"
        )


@cache
def _with_a_field(kind: type) -> Any:
    """The named tuple with one more field; it is pickled by the one that it was made from."""
    fields: tuple[str, ...] = kind._fields  # type: ignore[attr-defined]
    longer = namedtuple(kind.__name__, (*fields, "example_id"))  # type: ignore[misc]

    def reduced(self: Any) -> tuple[Any, ...]:
        return named_sample, (kind, tuple(self))

    setattr(longer, "__reduce__", reduced)  # noqa: B010  # the type checker lets none be assigned
    return longer


def named_sample(kind: type, values: tuple[Any, ...]) -> Any:
    """A sample of a named tuple of this kind, with the id as its last field, ``example_id``."""
    return _with_a_field(kind)(*values)


@overload
def with_ids(dataset: ExampleSet, ids: None = None) -> ExampleSet: ...  # type: ignore[overload-overlap]


@overload
def with_ids(dataset: Dataset[Any], ids: Any = None) -> "WithIds": ...


@overload  # a datasets.Dataset gives one
def with_ids(dataset: Any, ids: Any = None) -> Any: ...


def with_ids(dataset: Any, ids: Any = None) -> Any:
    """Give every sample a stable id, whatever the order, subset or number of loader workers.

    A tuple sample gains its id as the last item (a named tuple as the field ``example_id``), a
    dict sample gains the key ``"example_id"``, any other sample becomes ``(sample, id)``. A
    Hugging Face data set gains an ``example_id`` column, which survives ``shuffle``, ``select``,
    ``filter`` and ``map``. Ids that a data set already carries are checked and kept, unless
    ``ids`` replaces them.

    Args:
        dataset: a map-style torch data set (anything with ``len`` and ``[i]``), or a
            ``datasets.Dataset``.
        ids: n unique integers (int64) or n unique strings; None: the positions 0..n-1, and for
            a ``torch.utils.data.Subset``, or a Hugging Face set that was shuffled, selected,
            filtered, sorted or split, the positions in the data set it was taken from, so that
            wrapping before or after taking the part gives the same ids. ``map`` of a part writes
            a new table: wrap it before.

    Returns:
        A :class:`WithIds` data set (``.ids``, ``.dataset``), or a ``datasets.Dataset``.

    Raises:
        CurateError: an iterable-style data set, or ids that are not unique, of another number,
            or neither int64 nor str, or a part of several Hugging Face tables.

    Example:
        >>> import torch
        >>> from torch.utils.data import TensorDataset
        >>> data = with_ids(TensorDataset(torch.zeros(2, 3)), ids=["cat", "dog"])
        >>> data[1]
        (tensor([0., 0., 0.]), 'dog')
    """
    if is_hugging_face(dataset):
        return with_id_column(dataset, ids)
    _check_map_style(dataset)
    carried = ids_of(dataset)
    if ids is None and isinstance(dataset, WithIds | ExampleSet):
        return dataset
    if ids is None:
        ids = carried if carried is not None else _root_positions(dataset)
    return WithIds(dataset, checked_ids(ids, len(dataset)), carries_ids=carried is not None)


def ids_of(dataset: Any) -> Ids | None:
    """The ids of a data set whose samples carry them, by position; None where they do not."""
    if is_hugging_face(dataset):
        return id_column(dataset) if "example_id" in dataset.column_names else None
    if isinstance(dataset, WithIds | ExampleSet):
        return dataset.ids
    if isinstance(dataset, Subset):
        inner = ids_of(dataset.dataset)
        if inner is None:
            return None
        positions = torch.as_tensor(dataset.indices, dtype=torch.int64).numpy()
        return checked_ids(take_ids(inner, positions), len(dataset))
    if isinstance(dataset, ConcatDataset):
        parts = [ids_of(part) for part in dataset.datasets]
        known = [part for part in parts if part is not None]
        if not known:
            return None
        if len(known) < len(parts):
            raise CurateError(
                "dataset: some parts of the ConcatDataset carry ids and others do not; wrap all "
                "of them with curate.data.with_ids, or none"
            )
        return checked_ids([value for part in known for value in part], len(dataset))
    return None


def position_ids(dataset: Any) -> Ids:
    """The ids that :func:`with_ids` gives to a data set that carries none."""
    _check_map_style(dataset)
    return checked_ids(_root_positions(dataset), len(dataset))


def _root_positions(dataset: Any) -> Any:
    if isinstance(dataset, Subset):
        inner = _root_positions(dataset.dataset)
        return [inner[index] for index in dataset.indices]
    if isinstance(dataset, ConcatDataset):
        return _positions_in_parts(dataset.datasets)
    return stored_rows(dataset) if is_hugging_face(dataset) else range(len(dataset))


def _positions_in_parts(parts: list[Any]) -> Any:
    """Positions in the whole sets that the parts were taken from, one whole set after another.

    Folds of one set have their positions in it, however they are put together. Where an example
    is there twice, the positions are those in the parts as they lie.
    """
    starts: dict[int, int] = {}
    total = 0
    positions: list[int] = []
    for part in parts:
        whole = part
        while isinstance(whole, Subset):
            whole = whole.dataset
        if id(whole) not in starts:
            starts[id(whole)] = total
            total += len(whole)
        positions += [starts[id(whole)] + int(row) for row in _root_positions(part)]
    if len(set(positions)) < len(positions):
        return range(len(positions))
    return positions


def _check_map_style(dataset: Any) -> None:
    if isinstance(dataset, IterableDataset) or type(dataset).__name__ == "IterableDataset":
        raise CurateError(
            f"dataset: {type(dataset).__name__} is iterable-style, so its examples have no stable "
            "positions; give a map-style data set (len and [i])"
        )
    if isinstance(dataset, dict):
        raise CurateError(
            f"dataset: a {type(dataset).__name__} with the splits {sorted(dataset)}; give one of "
            "them"
        )
    if hasattr(dataset, "__arrow_c_stream__"):
        raise CurateError(
            f"dataset: a {type(dataset).__name__} is a table; give datasets.Dataset.from_pandas of "
            "it, or the data set that it was read from"
        )
    if isinstance(dataset, type) or not (
        hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")
    ):
        raise CurateError(
            f"dataset: a {type(dataset).__name__} has no len or [i]; give a map-style data set"
        )
    if isinstance(dataset, Tensor) and (dataset.is_nested or not dataset.ndim):
        raise CurateError("dataset: a tensor that holds no rows; give one of shape (N, ...)")
