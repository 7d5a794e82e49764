"""A data set whose examples the workers of a Ray cluster read and encode."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from curate.data.on_ray import blocks_on_ray
from curate.data.view import View
from curate.exporting.examples import Example, examples

_ROWS = 100  # that a worker reads at a time: images may be large


@dataclass(frozen=True)
class _Kept:
    view: View
    positions: np.ndarray

    def __len__(self) -> int:
        return len(self.positions)


class ViewOnRay(View):
    """A view whose :meth:`values` come from the workers, ready to be written.

    Everything else is that of the view underneath: rows that are copied as they are
    (:meth:`tables`) leave nothing to compute, and are read here.
    """

    is_plain = True  # the workers see to it

    def __init__(self, view: View) -> None:
        self.view = view
        self.name, self.kind, self.ids = view.name, view.kind, view.ids
        self.class_names, self.label_field = view.class_names, view.label_field

    def values(self, positions: np.ndarray) -> Iterator[dict[str, Any]]:
        """What :func:`curate.exporting.examples.examples` gives of several examples."""
        for block in blocks_on_ray(_Kept(self.view, positions), _examples, _ROWS):
            for example in block:
                yield example.values

    def whole(self) -> View:
        """The view of every column."""
        whole = self.view.whole()
        return self if whole is self.view else ViewOnRay(whole)

    def tables(self, positions: np.ndarray) -> Iterator[pa.Table] | None:
        """The rows as Arrow tables, where the set is made of rows."""
        return self.view.tables(positions)


def _examples(kept: _Kept, start: int, stop: int) -> list[Example]:
    return list(examples(kept.view, kept.positions[start:stop]))
