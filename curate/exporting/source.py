"""One view of every data set that can be exported."""

from typing import Any, NamedTuple

import numpy as np

from curate.data._with_ids import ids_of
from curate.data.example_set import ExampleSet
from curate.data.formats.hugging_face import is_hugging_face
from curate.data.formats.labels import class_names_of, find_label
from curate.data.ids import Ids
from curate.data.unwrap import unwrap
from curate.errors import CurateError


class Source(NamedTuple):
    """A data set without its wrappers, and which of its rows are its examples.

    Attributes:
        root: a :class:`ExampleSet`, a ``datasets.Dataset``, or another map-style data set.
        rows: int64, the row in ``root`` of every example.
        ids: the id of every example.
        carries_ids: whether the samples of ``root`` end with an id.
        image: the column of ``root`` that holds images, where its type does not say so.
        label: the name of the field that holds the label, if any.
        class_names: the name of each class, if known.
    """

    root: Any
    rows: np.ndarray
    ids: Ids
    carries_ids: bool
    image: str | None
    label: str | None
    class_names: list[str] | None

    def class_name(self, label: Any) -> str:
        """The name of a label's class; a bare number is padded, so that names sort like it."""
        if isinstance(label, str):
            return label
        if self.class_names is not None and 0 <= label < len(self.class_names):
            return self.class_names[label]
        return f"{label:05d}"


def open_source(dataset: Any) -> Source:
    """Look under the wrappers of a data set that carries ids.

    Raises:
        CurateError: it carries none.
    """
    ids = ids_of(dataset)
    if ids is None:
        raise CurateError(
            f"dataset: the examples of this {type(dataset).__name__} carry no ids; wrap it with "
            "curate.data.with_ids, as for recording"
        )
    root, positions = unwrap(dataset)
    rows = np.arange(len(root)) if positions is None else positions
    label: str | None = "label"
    names: list[str] | None
    if isinstance(root, ExampleSet):
        names = root.class_names
    elif is_hugging_face(root):
        label = find_label(root)
        names = None if label is None else class_names_of(root, label)
    else:
        found = getattr(root, "classes", None)
        is_names = isinstance(found, list) and all(isinstance(name, str) for name in found)
        names = list(found) if is_names and found else None
    if names is not None:  # names of undecodable folders hold what no file format takes
        names = [name.encode(errors="replace").decode() for name in names]
    return Source(root, rows, ids, not _is_bare(root), None, label, names)


def with_all_columns(source: Source) -> Source:
    """The Hugging Face set under a loaded one: its rows have more than an image and a label."""
    loaded = source.root
    if not (isinstance(loaded, ExampleSet) and is_hugging_face(loaded.dataset)):
        return source
    return source._replace(
        root=loaded.dataset,
        image=getattr(loaded.encoded, "column", None),
        label=find_label(loaded.dataset),
    )


def _is_bare(root: Any) -> bool:
    return isinstance(root, ExampleSet) or is_hugging_face(root) or ids_of(root) is None
