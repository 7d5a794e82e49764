"""Opening the one view of a data set: the only place that asks what kind of set it is."""

from typing import Any

import numpy as np

from curate.data._with_ids import ids_of, position_ids
from curate.data.example_set import ExampleSet
from curate.data.formats.hugging_face import is_hugging_face
from curate.data.origins.example_set import ExampleSetView
from curate.data.origins.rows import RowsView
from curate.data.origins.samples import FolderView, SamplesView
from curate.data.unwrap import is_torchvision, unwrap
from curate.data.view import View
from curate.errors import CurateError


def open_view(dataset: Any, *, name: str | None = None, needs_ids: bool = False) -> View:
    """Look under the wrappers of a data set, once.

    Args:
        dataset: a :class:`View` (returned as it is), or anything that
            :func:`curate.data.with_ids` takes.
        name: what to call it in errors; None: its type.
        needs_ids: refuse a set that carries no ids, instead of taking positions for ids.

    Raises:
        CurateError: not a map-style data set, or one without ids where they are needed.
    """
    if isinstance(dataset, View):
        return dataset
    ids = ids_of(dataset)
    if ids is None and needs_ids:
        raise CurateError(
            f"dataset: the examples of this {type(dataset).__name__} carry no ids; wrap it with "
            "curate.data.with_ids, as for recording"
        )
    if ids is None:
        ids = position_ids(dataset)
    root, positions = unwrap(dataset)
    rows = np.arange(len(root)) if positions is None else positions
    called = type(root).__name__ if name is None else name
    if isinstance(root, ExampleSet):
        return ExampleSetView(root, rows, ids, called)
    if is_hugging_face(root):
        return RowsView(root, rows, ids, called)
    if is_torchvision(root) and type(root).__name__ == "ImageFolder":
        return FolderView(root, rows, ids, called, carries_ids=False)
    return SamplesView(root, rows, ids, called, carries_ids=ids_of(root) is not None)
