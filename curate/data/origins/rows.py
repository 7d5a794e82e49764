"""The view of a Hugging Face data set."""

import json
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.data.content import BLOCK, Feed, feed_column, feed_value
from curate.data.encoded import Cells, Encoded, Follow, ImageFile, may_follow
from curate.data.formats.columns import Columns, dense_features, input_column, is_list
from curate.data.formats.hugging_face import column_of
from curate.data.formats.labels import Classes, classes_of, find_label, label_indices
from curate.data.ids import Ids, as_arrow, take_ids
from curate.data.view import View, printable
from curate.errors import CurateError

if TYPE_CHECKING:
    import datasets

_ROWS = 100  # fetched at once: images may be large


class RowsView(View):
    """Rows with an image column; else a column of lists of numbers; else columns of numbers.

    Args:
        root: the data set.
        positions: int64, its rows that are meant.
        ids: the id of each of these.
        name: what to call the set in an error.
        follow: which files that rows only point at are read; not all with a stranger's table.
        image_column: the column of encoded images, where its type does not say so.
    """

    kind = "Dataset"
    is_plain = True
    pixels = None

    def __init__(
        self,
        root: "datasets.Dataset",
        positions: np.ndarray,
        ids: Ids,
        name: str,
        *,
        follow: Follow = True,
        image_column: str | None = None,
    ) -> None:
        self.root, self.positions, self.ids, self.name = root, positions, ids, name
        self.follow, self.image_column = follow, image_column
        self.label_field = find_label(root)

    @cached_property
    def class_names(self) -> list[str] | None:  # type: ignore[override]
        """The names in the label's column or type."""
        return printable(None if self._classes is None else self._classes.names)

    @cached_property
    def _classes(self) -> Classes | None:
        return None if self.label_field is None else classes_of(self.root, self.label_field)

    @cached_property
    def labels(self) -> np.ndarray | None:  # type: ignore[override]
        """Class indices; None where a row lacks its label or the column holds something else."""
        label = self.label_field
        if label is None:
            return None
        try:
            assert self._classes is not None
            return label_indices(column_of(self._shown, label), self._classes, label)
        except CurateError:  # missing or hidden
            return None

    @cached_property
    def encoded(self) -> Encoded | None:  # type: ignore[override]
        """The image files, if that is what the set holds."""
        column, kind = self._input
        return Cells(self._shown, column, self.follow) if kind == "image" else None

    @cached_property
    def features(self) -> np.ndarray | None:  # type: ignore[override]
        """The feature vectors, flattened to (n, d)."""
        column, kind = self._input
        if kind == "features":
            return dense_features(self._shown, column).reshape(len(self), -1)
        if kind != "numbers":
            return None
        return np.stack([self._numbers(name) for name in self._number_columns], axis=1)

    @cached_property
    def columns(self) -> tuple[str, ...] | None:  # type: ignore[override]
        """The column of each feature."""
        column, kind = self._input
        if self.features is None:
            return None
        return (column,) * self.features.shape[1] if kind == "features" else self._number_columns

    @property
    def content(self) -> str:
        """What the examples are."""
        return "texts" if self._input[1] == "text" else super().content

    def value(self, position: int) -> dict[str, Any]:
        """One example by name; see :meth:`View.value`."""
        return next(self.values(np.array([position])))

    def values(self, positions: np.ndarray) -> Iterator[dict[str, Any]]:
        """Several examples, a block of rows fetched at once."""
        kinds = self.root.features.items()
        images = {name for name, kind in kinds if type(kind).__name__ == "Image"}
        table = self.root.with_format("arrow")
        for start in range(0, len(positions), _ROWS):
            block = table[self.positions[positions[start : start + _ROWS]]]
            if images:
                block = self._embedded(block)
            for row in block.to_pylist():
                row.pop("example_id", None)
                for name in images & row.keys():
                    if row[name] is not None:
                        row[name] = ImageFile(row[name]["bytes"] or b"")
                yield row

    def feed(self, feed: Feed) -> None:
        """The content for a hash; the order of the calls is part of the definition."""
        self.feed_columns(feed, set(self.root.column_names) - {"example_id"})

    def feed_columns(self, feed: Feed, columns: Iterable[str]) -> None:
        """The content of these columns for a hash."""
        from datasets.features.features import require_storage_embed

        features = self.root.features
        names = sorted(columns)
        feed_value(feed, names)
        if not names:
            return
        files = {name for name in names if hasattr(features[name], "embed_storage")}
        points_at_files = any(require_storage_embed(features[name]) for name in names)
        table = self._shown.with_format("arrow")
        for start in range(0, len(table), BLOCK):
            block = table[start : start + BLOCK]
            if points_at_files:  # their content counts, not where they lie
                block = self._embedded(block)
            for name in names:
                column = block[name]
                feed_column(feed, pc.struct_field(column, "bytes") if name in files else column)

    @property
    def types(self) -> Any:
        """What :meth:`feed` leaves out: Hugging Face's types of the columns, with class names."""
        return [json.loads(json.dumps(self.root.features.to_dict(), default=str)), super().types]

    def tables(self, positions: np.ndarray) -> Iterator[pa.Table]:
        """The rows as they are, with files read into them."""
        from datasets import Features, Image, Value
        from datasets.table import table_cast

        kinds = {name: kind for name, kind in self.root.features.items() if name != "example_id"}
        if self.image_column is not None:
            kinds[self.image_column] = Image()
        ids = as_arrow(take_ids(self.ids, positions))
        features = Features({"example_id": Value(str(ids.type)), **kinds})
        schema = features.arrow_schema
        table = self.root.with_format("arrow")
        at_once = self._rows_at_once()
        for start in range(0, len(positions), at_once):
            block = table[self.positions[positions[start : start + at_once]]]
            if "example_id" in block.column_names:
                block = block.drop_columns("example_id")
            block = block.add_column(0, "example_id", ids[start : start + at_once])
            block = table_cast(block.select(list(features)), schema)
            yield self._embedded(block).replace_schema_metadata(schema.metadata)

    def _embedded(self, block: pa.Table) -> pa.Table:
        """The block with the files that its rows point at read into it.

        Raises:
            CurateError: a row points at a file that is not to be read.
        """
        from datasets.table import embed_table_storage

        if self.follow is not True:
            for name in block.column_names:
                for path in pointed_at(block[name].combine_chunks()):
                    if not may_follow(path, self.follow):
                        raise CurateError(
                            f"dataset: the column {name!r} of {self.name!r} points at {path!r}, "
                            "outside of the set; write the file again with its content inside, or "
                            "leave the column out"
                        )
        return embed_table_storage(block)

    def _rows_at_once(self) -> int:
        """A hundred rows if they point at files, of any size, else as many as take about 4 MB."""
        from datasets.features.features import require_storage_embed

        root = self.root
        if any(require_storage_embed(kind) for kind in root.features.values()):
            return _ROWS
        return max(1, min(10_000, (4 << 20) * root.data.num_rows // max(1, root.data.nbytes)))

    @cached_property
    def _shown(self) -> "datasets.Dataset":
        """The rows that are meant, in order."""
        if np.array_equal(self.positions, np.arange(len(self.root))):
            return self.root
        return self.root.select(self.positions)

    @cached_property
    def _input(self) -> tuple[str, str]:
        """The input column and what it holds: image, features, numbers, text or nothing."""
        try:
            column, kind = input_column(self.root, Columns(self.image_column))
        except CurateError:
            return "", "numbers" if self._number_columns else "nothing"
        if kind == "text" and self._number_columns:
            return "", "numbers"
        return column, kind

    @property
    def holds(self) -> str:
        """What the examples are made from: an image, features, text, numbers (columns), nothing."""
        return self._input[1]

    @cached_property
    def _number_columns(self) -> tuple[str, ...]:
        schema = self.root.with_format("arrow")[:0].schema
        return tuple(
            field.name
            for field in schema
            if field.name not in ("example_id", self.label_field)
            and (pa.types.is_floating(field.type) or pa.types.is_integer(field.type))
        )

    def _numbers(self, column: str) -> np.ndarray:
        values = column_of(self._shown, column)
        if values.null_count:
            row = pc.index(pc.is_null(values), True).as_py()
            raise CurateError(
                f"dataset: the column {column!r} of {self.name!r} is null in row {row}; fill it or "
                "leave the column out"
            )
        return values.to_numpy().astype(np.float32)


def pointed_at(array: pa.Array) -> Iterator[str]:
    """The paths of all ``{bytes, path}`` cells without bytes, at any depth of a column."""
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        yield from pointed_at(array.storage)
    elif pa.types.is_struct(kind):
        names = {kind.field(position).name for position in range(kind.num_fields)}
        if {"bytes", "path"} <= names:
            empty = pc.is_null(pc.struct_field(array, "bytes"))
            paths = pc.struct_field(array, "path").filter(empty)
            yield from paths.drop_null().unique().to_pylist()
        else:
            for child in array.flatten():
                yield from pointed_at(child)
    elif is_list(kind):
        yield from pointed_at(array.flatten())
    elif pa.types.is_map(kind):
        yield from pointed_at(array.items)
