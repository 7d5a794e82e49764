"""The examples of a source, one after another, as named values."""

import operator
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from curate.data.example_set import ExampleSet
from curate.data.formats.hugging_face import is_hugging_face
from curate.data.unwrap import is_torchvision
from curate.errors import CurateError
from curate.exporting.image import EncodedImage, as_png, from_file, is_image
from curate.exporting.source import Source

_ROWS = 100  # fetched from a Hugging Face set at once


class Example(NamedTuple):
    """One example: its id and its values by name.

    A value is an :class:`EncodedImage`, an array, a bool, int, float, str, bytes, None or a list.
    """

    id: int | str
    values: dict[str, Any]


def examples(source: Source, kept: np.ndarray) -> Iterator[Example]:
    """The examples at these positions, in order, fetched one (or a hundred) at a time."""
    if is_hugging_face(source.root):
        yield from _rows(source, kept)
        return
    for position in kept.tolist():
        example_id = source.ids[position]
        example_id = example_id if isinstance(example_id, str) else int(example_id)
        yield Example(example_id, _values(source, int(source.rows[position]), example_id))


def _values(source: Source, row: int, example_id: int | str) -> dict[str, Any]:
    root = source.root
    if isinstance(root, ExampleSet):
        label = {"label": int(root.labels[row])}
        if root.encoded is not None:
            return {"image": from_file(root.encoded[row], example_id), **label}
        if root.values is not None and root.values.dtype == torch.uint8:
            return {"image": as_png(root.values[row], example_id), **label}
        if root.texts is not None:
            return {"text": root.texts[row], **label}
        return {"features": root[row][0].numpy(), **label}
    if is_torchvision(root) and type(root).__name__ == "ImageFolder":
        path, class_index = root.samples[row]
        return {"image": from_file(Path(path).read_bytes(), example_id), "label": class_index}
    sample = root[row]
    if isinstance(sample, Mapping):
        named = {str(key): value for key, value in sample.items() if key != "example_id"}
    else:
        items = sample if isinstance(sample, tuple) else (sample,)
        named = _named(items[:-1] if source.carries_ids else items)
    return {name: _plain(value, name, example_id) for name, value in named.items()}


def _named(items: tuple[Any, ...]) -> dict[str, Any]:
    """Names for the items of a tuple: image, text or features; label; item_2, item_3 …"""
    names = [f"item_{number}" for number in range(len(items))]
    if items:
        first = items[0]
        is_text = isinstance(first, str)
        names[0] = "image" if is_image(first) else "text" if is_text else "features"
    if len(items) > 1:
        names[1] = "label" if _is_label(items[1]) else "target"
    return dict(zip(names, items, strict=True))


def _is_label(value: Any) -> bool:
    if isinstance(value, str):
        return True
    try:
        operator.index(value)
    except TypeError:
        return False
    return True


def _plain(value: Any, name: str, example_id: int | str) -> Any:
    if is_image(value):
        return as_png(value, example_id)
    if isinstance(value, torch.Tensor):
        if value.dtype == torch.bfloat16:
            raise CurateError(
                f"dataset: {name!r} of example {example_id!r} is bfloat16, which files cannot "
                "hold; convert it with .float() in the data set"
            )
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray | np.generic):
        value = value.item() if value.ndim == 0 else value
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return value
    if isinstance(value, list) and all(isinstance(item, bool | int | float) for item in value):
        return np.asarray(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    raise CurateError(
        f"dataset: {name!r} of example {example_id!r} is a {type(value).__name__}, which cannot be "
        "exported; give images, arrays, numbers or text"
    )


def _rows(source: Source, kept: np.ndarray) -> Iterator[Example]:
    from datasets.table import embed_table_storage

    images = {
        name for name, feature in source.root.features.items() if type(feature).__name__ == "Image"
    }
    table = source.root.with_format("arrow")
    for start in range(0, len(kept), _ROWS):
        positions = kept[start : start + _ROWS]
        block = table[source.rows[positions]]
        if images:
            block = embed_table_storage(block)
        for position, row in zip(positions.tolist(), block.to_pylist(), strict=True):
            example_id = source.ids[position]
            example_id = example_id if isinstance(example_id, str) else int(example_id)
            row.pop("example_id", None)
            for name in images & row.keys():
                if row[name] is not None:
                    row[name] = from_file(row[name]["bytes"], example_id)
            yield Example(example_id, row)


def image_of(example: Example) -> EncodedImage | None:
    """The image of an example: the first of its values that is one."""
    found = (value for value in example.values.values() if isinstance(value, EncodedImage))
    return next(found, None)
