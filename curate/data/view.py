"""One view of a data set, whatever holds it: ids, labels, class names, columns, values, images."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from curate.data.content import Feed, feed_value
from curate.data.depth import Depth
from curate.data.encoded import Encoded, ImageFile
from curate.data.ids import Ids
from curate.data.pixels import decode
from curate.errors import CurateError

if TYPE_CHECKING:
    import pyarrow as pa


class View:
    """n examples as everything but a training loop sees them; :func:`open_view` makes one.

    The content is encoded images, pixels, features, or something else: then all three are None
    and :meth:`value` gives it. A new kind of data set is one subclass.

    Attributes:
        name: what to call the set in an error.
        kind: the type of the data set under its wrappers, as provenance writes it down.
        ids: int64 array of shape (n,), or list of n strings.
        labels: int64 class indices of shape (n,), where known.
        class_names: the name of each class, where known.
        columns: the column that each of the d features comes from, where known.
        encoded: the n image files' contents, read when asked for; or None.
        pixels: uint8 tensor of shape (n, C, H, W), C of 1 or 3; or None.
        features: float32 array of shape (n, d); or None.
    """

    name: str
    kind: str = "Source"
    ids: Ids
    labels: np.ndarray | None
    class_names: Sequence[str] | None
    columns: tuple[str, ...] | None
    encoded: Encoded | None
    pixels: torch.Tensor | None
    features: np.ndarray | None

    is_plain = False
    """Whether :meth:`value` gives only what files can hold: numbers, text, bytes, lists, images."""

    label_field: str | None = "label"
    """The key of the label in :meth:`value`, if it has one."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def has_images(self) -> bool:
        """Whether there are pictures to look at, and so pixel features and a nuisance audit."""
        return self.encoded is not None or self.pixels is not None

    @cached_property
    def depth(self) -> Depth | None:
        """How images of more than 8 bits become 8, the same for all of the set."""
        return None if self.encoded is None else Depth(self.encoded)

    @property
    def content(self) -> str:
        """What the examples are, in a word: images, features, texts or other."""
        if self.has_images:
            return "images"
        return "features" if self.features is not None else "other"

    def id_at(self, position: int) -> int | str:
        """The id of one example as a plain int or str."""
        example_id = self.ids[position]
        return example_id if isinstance(example_id, str) else int(example_id)

    def image(self, position: int) -> np.ndarray:
        """The image at its own size: uint8, (H, W) if grey, else (H, W, 3).

        Raises:
            CurateError: the examples are features, the file is torn, or there is no such position.
        """
        self._check(np.asarray(position))
        if self.encoded is not None:
            return decode(self.encoded[position], self.ids[position], self.depth)
        if self.pixels is None:
            raise CurateError(f"source {self.name!r}: its examples are features, not images")
        pixels = self.pixels[position].numpy()
        return pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)

    def value(self, position: int) -> dict[str, Any]:
        """Everything about one example but its id, by name, as it is stored.

        Images that come as files are :class:`curate.data.encoded.ImageFile`.
        """
        fields: dict[str, Any] = {}
        if self.encoded is not None:
            fields["image"] = ImageFile(self.encoded[position])
        elif self.pixels is not None:
            fields["image"] = self.pixels[position]
        elif self.features is not None:
            fields["features"] = self.features[position]
        if self.labels is not None:
            fields["label"] = int(self.labels[position])
        return fields

    def values(self, positions: np.ndarray) -> Iterator[dict[str, Any]]:
        """:meth:`value` of several examples, in this order; faster where rows lie in blocks."""
        return map(self.value, positions.tolist())

    def feed(self, feed: Feed) -> None:
        """Give the content to a hash (:func:`curate.data.fingerprint`); ids are not part of it."""
        for value in self.values(np.arange(len(self))):
            feed_value(feed, value)

    @property
    def types(self) -> Any:
        """What :meth:`feed` leaves out, as JSON values: column types, names of classes; or None."""
        return None if self.class_names is None else list(self.class_names)

    def whole(self) -> "View":
        """The view of every column, where the data set shows only a few of its rows' columns."""
        return self

    def tables(self, positions: np.ndarray) -> "Iterator[pa.Table] | None":
        """The rows of several examples as Arrow tables, in order, ``example_id`` first.

        Files that rows point at are read into them, and the schema's metadata names Hugging
        Face's feature types. None where the set is not made of rows.
        """
        return None

    def class_name(self, label: Any) -> str:
        """The name of a label's class; a bare index is padded, so that names sort like it."""
        if not isinstance(label, int | np.integer):
            return str(label)
        if self.class_names is not None and 0 <= label < len(self.class_names):
            return self.class_names[int(label)]
        return f"{label:05d}"

    def __repr__(self) -> str:
        name = self.name if len(self.name) <= 40 else self.name[:39] + "…"
        return f"{type(self).__name__}({name!r}, {len(self):,} examples, {self.content})"

    def _check(self, positions: np.ndarray) -> None:
        if positions.dtype.kind not in "iu":
            raise CurateError(f"source {self.name!r}: rows of {positions.dtype}; give integers")
        bad = positions[(positions < 0) | (positions >= len(self))]
        if bad.size:
            raise CurateError(
                f"source {self.name!r}: row {bad.flat[0]} of {len(self)} examples; give rows from "
                f"0 to {len(self) - 1}"
            )


def printable(names: Sequence[str] | None) -> list[str] | None:
    """Class names as valid Unicode: those of undecodable folders hold what no file can."""
    return None if names is None else [name.encode(errors="replace").decode() for name in names]
