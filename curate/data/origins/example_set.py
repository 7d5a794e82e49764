"""The view of a set that :func:`curate.data.load` returned."""

from functools import cached_property
from typing import Any

import numpy as np
import torch

from curate.data.content import Feed, feed_arrays, feed_value
from curate.data.depth import Depth
from curate.data.encoded import Encoded, ImageFile, Taken
from curate.data.example_set import ExampleSet
from curate.data.formats.hugging_face import is_hugging_face
from curate.data.ids import Ids
from curate.data.origins.rows import RowsView
from curate.data.view import View, printable


class ExampleSetView(View):
    """Rows of an :class:`ExampleSet`: encoded images, uint8 pixels, features or texts."""

    columns = None
    kind = "Loaded"  # the name of ExampleSet when exports began to write it down

    def __init__(self, root: ExampleSet, positions: np.ndarray, ids: Ids, name: str) -> None:
        self.root, self.positions, self.ids, self.name = root, positions, ids, name
        self.labels = root.labels[positions]
        self.class_names = printable(root.class_names)

    @property
    def _all(self) -> bool:
        return np.array_equal(self.positions, np.arange(len(self.root)))

    @cached_property
    def encoded(self) -> Encoded | None:  # type: ignore[override]
        """The image files, if that is what the set holds."""
        whole = self.root.encoded
        return whole if whole is None or self._all else Taken(whole, self.positions)

    @cached_property
    def depth(self) -> Depth | None:  # type: ignore[override]
        """How images of more than 8 bits become 8: a test set's as its training set's."""
        return self.root.depth

    @cached_property
    def pixels(self) -> torch.Tensor | None:  # type: ignore[override]
        """The uint8 images held in memory."""
        values = self._values
        return values if values is not None and values.dtype == torch.uint8 else None

    @cached_property
    def features(self) -> np.ndarray | None:  # type: ignore[override]
        """The feature vectors, flattened to (n, d)."""
        values = self._values
        if values is None or values.dtype == torch.uint8 or self.root.texts is not None:
            return None
        return values.reshape(len(self), -1).float().numpy()

    @property
    def content(self) -> str:
        """What the examples are."""
        return super().content if self.root.texts is None else "texts"

    @property
    def _values(self) -> torch.Tensor | None:
        if self.root.encoded is not None or self.root.values is None:
            return None
        return self.root.values if self._all else self.root.values[torch.from_numpy(self.positions)]

    def value(self, position: int) -> dict[str, Any]:
        """One example by name; see :meth:`View.value`."""
        row, root = int(self.positions[position]), self.root
        label = {"label": int(root.labels[row])}
        if root.encoded is not None:
            return {"image": ImageFile(root.encoded[row]), **label}
        if root.texts is not None:
            return {"text": root.texts[row], **label}
        assert root.values is not None
        images = root.values.dtype == torch.uint8
        return {"image" if images else "features": root.values[row], **label}

    def feed(self, feed: Feed) -> None:
        """The content for a hash; the order of the calls is part of the definition."""
        self._feed_taken(feed)
        rows = self._rows
        others = set() if rows is None else {*rows.root.column_names} - {"example_id"}
        others -= {*self.root.columns}
        if rows is not None and self.root.columns and others:  # they are exported too
            rows.feed_columns(feed, others)

    def _feed_taken(self, feed: Feed) -> None:
        root, labels = self.root, {"label": self.root.labels}
        if root.encoded is not None:
            feed_arrays(feed, labels, self.positions)
            feed_value(feed, root.class_names)
            for row in self.positions.tolist():
                feed_value(feed, root.encoded[row])
            return
        feed_value(feed, root.class_names)
        if root.texts is None:
            feed_arrays(feed, {**labels, "values": root.values}, self.positions)
            return
        feed_arrays(feed, labels, self.positions)
        for row in self.positions.tolist():
            feed_value(feed, root.texts[row])

    @property
    def types(self) -> Any:
        """What :meth:`feed` leaves out: the types of the columns underneath, if any."""
        return None if self._rows is None else self._rows.types

    def whole(self) -> View:
        """The view of the Hugging Face rows underneath, if any."""
        rows = self._rows
        return self if rows is None else rows

    @property
    def _rows(self) -> RowsView | None:
        under, root = self.root.dataset, self.root
        if not is_hugging_face(under):
            return None
        column = getattr(root.encoded, "column", None)
        rows = RowsView(
            under, self.positions, self.ids, self.name, follow=root.follow, image_column=column
        )
        # those of the training split, for a test split too
        rows.class_names = printable(self.class_names)
        return rows
