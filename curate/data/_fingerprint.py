"""A hash of what a data set holds: its ids and its content, in order."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow.compute as pc
import torch
from torch.utils.data import TensorDataset

from curate.data._with_ids import ids_of, with_ids
from curate.data.content import Feed, feed_array, feed_column, feed_value
from curate.data.example_set import ExampleSet
from curate.data.formats.hugging_face import is_hugging_face
from curate.data.unwrap import is_torchvision, unwrap
from curate.errors import CurateError

_ROWS = 128  # a block; part of the definition of the hash
_FETCHED_TWICE = 4


def fingerprint(dataset: Any) -> str:
    """The SHA-256 of a data set's ids and content, the same in every process and machine.

    Another order, another id, or one changed bit gives another fingerprint. What is hashed:
    the rows of a Hugging Face set, the arrays of array-backed sets in bulk, the files of image
    folders and Parquet images as they are (not decoded), else every sample as fetched. The
    transforms of torchvision's own sets are left out.

    Args:
        dataset: any data set that :func:`curate.data.with_ids` takes; one without ids has the
            ids that ``with_ids`` would give.

    Returns:
        "sha256:" and 64 hexadecimal digits.

    Raises:
        CurateError: samples that differ from fetch to fetch (a random transform), or of a type
            that has no canonical bytes.
    """
    ids = ids_of(dataset)
    if ids is None:
        ids = np.arange(len(dataset)) if is_hugging_face(dataset) else with_ids(dataset).ids
    digest = hashlib.sha256(b"curate fingerprint 1")
    feed_value(digest.update, ids)
    root, positions = unwrap(dataset)
    _feed_content(digest.update, root, positions)
    return f"sha256:{digest.hexdigest()}"


def _feed_content(feed: Feed, root: Any, positions: np.ndarray | None) -> None:
    rows = np.arange(len(root)) if positions is None else positions
    if is_hugging_face(root):
        _feed_rows(feed, root, positions)
    elif isinstance(root, ExampleSet) and root.encoded is not None:
        _feed_arrays(feed, {"label": root.labels}, rows)
        feed_value(feed, root.class_names)
        for row in rows.tolist():
            feed_value(feed, root.encoded[row])
    elif isinstance(root, ExampleSet):
        feed_value(feed, root.class_names)
        if root.texts is None:
            _feed_arrays(feed, {"label": root.labels, "values": root.values}, rows)
        else:
            _feed_arrays(feed, {"label": root.labels}, rows)
            for row in rows.tolist():
                feed_value(feed, root.texts[row])
    elif is_torchvision(root) and type(root).__name__ == "ImageFolder":
        _feed_arrays(feed, {"label": np.array(root.targets, np.int64)}, rows)
        feed_value(feed, root.classes)
        for row in rows.tolist():
            with open(root.samples[row][0], "rb") as file:
                feed_value(feed, file.read())
    else:
        arrays = _arrays_of(root)
        if arrays is None:
            _feed_samples(feed, root, rows)
        else:
            _feed_arrays(feed, arrays, rows)


def _arrays_of(root: Any) -> dict[str, Any] | None:
    """The arrays behind a data set whose samples are their rows, if it is such a one."""
    if type(root) is TensorDataset:
        return {str(number): tensor for number, tensor in enumerate(root.tensors)}
    if is_torchvision(root):
        data, targets = getattr(root, "data", None), getattr(root, "targets", None)
        if isinstance(targets, list) and all(isinstance(target, int) for target in targets):
            targets = np.array(targets, np.int64)
        found = {"data": data, "targets": targets}
        if all(isinstance(array, torch.Tensor | np.ndarray) for array in found.values()):
            return found
    return None


def _feed_arrays(feed: Feed, arrays: dict[str, Any], rows: np.ndarray) -> None:
    for name, array in arrays.items():
        feed_value(feed, name)
        for start in range(0, len(rows), _ROWS):
            feed_array(feed, array[rows[start : start + _ROWS]])


def _feed_rows(feed: Feed, root: Any, positions: np.ndarray | None) -> None:
    from datasets.features.features import require_storage_embed
    from datasets.table import embed_table_storage

    names = sorted(set(root.column_names) - {"example_id"})
    feed_value(feed, names)
    if not names:
        return
    files = {name for name in names if hasattr(root.features[name], "embed_storage")}
    points_at_files = any(require_storage_embed(root.features[name]) for name in names)
    table = (root if positions is None else root.select(positions)).with_format("arrow")
    for start in range(0, len(table), _ROWS):
        block = table[start : start + _ROWS]
        if points_at_files:  # their content counts, not where they lie
            block = embed_table_storage(block)
        for name in names:
            column = block[name]
            feed_column(feed, pc.struct_field(column, "bytes") if name in files else column)


def _feed_samples(feed: Feed, root: Any, rows: np.ndarray) -> None:
    with _same_random_state():
        for row in rows[:_FETCHED_TWICE].tolist():
            if _digest(root[row]) != _digest(root[row]):
                raise CurateError(
                    f"dataset: sample {row} differs from fetch to fetch, so it has a random "
                    "transform; give the data set without it"
                )
        for row in rows.tolist():
            feed_value(feed, root[row])


def _digest(sample: Any) -> bytes:
    digest = hashlib.sha256()
    feed_value(digest.update, sample)
    return digest.digest()


@contextmanager
def _same_random_state() -> Iterator[None]:
    """Fetching samples may draw random numbers; training must not notice."""
    own, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            random.setstate(own)
            np.random.set_state(numpy_state)
