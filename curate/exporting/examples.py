"""The examples of a data set, one after another, as named values."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from curate.data.encoded import ImageFile
from curate.data.pixels import is_image
from curate.data.view import View
from curate.errors import CurateError
from curate.exporting.image import EncodedImage, as_png, from_file


class Example(NamedTuple):
    """One example: its id and its values by name.

    A value is an :class:`EncodedImage`, an array, a bool, int, float, str, bytes, None or a list.
    """

    id: int | str
    values: dict[str, Any]


def examples(view: View, kept: np.ndarray) -> Iterator[Example]:
    """The examples at these positions, in order, fetched one (or a hundred) at a time."""
    for position, fields in zip(kept.tolist(), view.values(kept), strict=True):
        example_id = view.id_at(position)
        yield Example(
            example_id,
            {
                name: from_file(value, example_id)
                if isinstance(value, ImageFile)
                else value
                if view.is_plain
                else _plain(value, name, example_id)
                for name, value in fields.items()
            },
        )


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


def image_of(example: Example) -> EncodedImage | None:
    """The image of an example: the first of its values that is one."""
    images = (value for value in example.values.values() if isinstance(value, EncodedImage))
    return next(images, None)
