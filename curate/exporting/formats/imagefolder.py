"""``format="imagefolder"``: ``class/file``, as torchvision's and Hugging Face's loaders take it."""

from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from curate import table as files
from curate.data.view import View
from curate.errors import CurateError
from curate.exporting.examples import Example, examples, image_of
from curate.exporting.image import EncodedImage, as_png
from curate.exporting.layout import Layout
from curate.exporting.names import Names
from curate.exporting.progress import progress
from curate.exporting.replacing import CARD, INDEX, PROVENANCE

_OURS = (INDEX, CARD, PROVENANCE)
_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".tif", ".tiff", ".webp", ".gif")
_INDEX_SCHEMA = [("label", pa.int64()), ("class_name", pa.string()), ("file_name", pa.string())]
_INDEX_ROWS = 10_000


def write_imagefolder(view: View, kept: np.ndarray, folder: Path) -> Layout:
    """Write one image file per example, and ``metadata.parquet`` with the id of every file.

    Every class has a folder, also one of which nothing was kept, so that the numbering of
    classes stays.
    """
    paths = _Paths(folder, view)
    ids = pa.string() if isinstance(view.ids, list) else pa.int64()
    schema = pa.schema([("example_id", ids), *_INDEX_SCHEMA])
    rows: list[dict[str, Any]] = []
    with files.open_writer(folder / INDEX, schema) as index:
        for example in progress(examples(view, kept), len(kept)):
            image = image_of(example) or _image_from_floats(example)
            label = _label(example, view)
            name = paths.take(label, example.id, image.extension)
            (folder / name).write_bytes(image.content)
            number = None if isinstance(label, str) else label
            rows.append(
                {
                    "example_id": example.id,
                    "label": number,
                    "class_name": view.class_name(label),
                    "file_name": name.as_posix(),
                }
            )
            if len(rows) >= _INDEX_ROWS:
                index.write_table(pa.Table.from_pylist(rows, schema))
                rows.clear()
        if rows:
            index.write_table(pa.Table.from_pylist(rows, schema))
    return Layout(
        'from torchvision.datasets import ImageFolder\n\nkept = ImageFolder("PATH", '
        "allow_empty=True)",
        "**",  # else it takes classes called "test" or "train" for splits
        f"One folder per class; `{INDEX}` has `example_id`, `label` and `class_name` of every "
        "file. Labels number the classes of the source; torchvision numbers the folders by name.",
    )


class _Paths:
    """Where each example's file goes: ``class/file``, two names that nothing else has."""

    def __init__(self, folder: Path, view: View) -> None:
        self.folder, self.view = folder, view
        self.classes, self.class_folders = Names(_OURS), dict[Any, str]()
        self.names = dict[str, Names]()
        for number in range(len(view.class_names or ())):
            self._class_folder(number)

    def take(self, label: int | str, example_id: int | str, extension: str) -> PurePosixPath:
        folder = self._class_folder(label)
        if isinstance(example_id, int):  # unique as it is: nothing to remember
            return PurePosixPath(folder, f"{example_id:09d}.{extension}")
        text = example_id.removeprefix(self.view.class_name(label) + "/")
        ending = PurePosixPath(text.lower()).suffix
        # a file of this kind already keeps its name
        if ending in _EXTENSIONS and text.lower().endswith(ending):
            text, extension = text[: -len(ending)], text[-len(ending) + 1 :]
        name = self.names.setdefault(folder, Names()).take(text, f".{extension}")
        return PurePosixPath(folder, name)

    def _class_folder(self, label: int | str) -> str:
        if label not in self.class_folders:
            name = self.classes.take(self.view.class_name(label))
            (self.folder / name).mkdir()
            self.class_folders[label] = name
        return self.class_folders[label]


def _label(example: Example, view: View) -> int | str:
    label = example.values.get(view.label_field) if view.label_field is not None else None
    if isinstance(label, int | str) and not isinstance(label, bool):
        return label
    lacks = "no label" if label is None else f"the label {label!r}, no class index or name,"
    raise CurateError(
        f"format: example {example.id!r} has {lacks} to name its folder; export with "
        "format='parquet'"
    )


def _image_from_floats(example: Example) -> EncodedImage:
    for value in example.values.values():
        if isinstance(value, np.ndarray) and value.ndim in (2, 3):
            # as a tensor, for channels come first in what torchvision's transforms give
            return as_png(torch.from_numpy(value), example.id)
    raise CurateError(
        f"format: example {example.id!r} holds no image, only {sorted(example.values)}; export "
        "with format='parquet'"
    )
