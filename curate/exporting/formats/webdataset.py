"""``format="webdataset"``: tar shards for the ``webdataset`` package."""

import json
import re
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import numpy as np

from curate.data.view import View
from curate.errors import CurateError
from curate.exporting.examples import Example, examples, image_of
from curate.exporting.image import EncodedImage
from curate.exporting.layout import Layout
from curate.exporting.progress import progress

SHARD_EXAMPLES = 10_000
SHARD_BYTES = 500 << 20


def write_webdataset(view: View, kept: np.ndarray, folder: Path) -> Layout:
    """Write ``train-000000.tar`` …: an image, ``.cls`` (the label) and ``.json`` per example.

    Keys are numbers, the position among the kept; ids and class names are in the ``.json``, as are
    labels that are neither class indices nor names (numbers, dates, lists), under their own name.

    Raises:
        CurateError: the package ``webdataset`` is not installed.
    """
    try:
        from webdataset import ShardWriter
    except ImportError:
        raise CurateError(
            "format: 'webdataset' needs a package that is not installed; pip install "
            "'curate-data[webdataset]'"
        ) from None
    open_files: list[IO[bytes]] = []

    def open_shard(name: str) -> IO[bytes]:
        for file in open_files:
            file.close()
        open_files[:] = [(folder / name).open("wb")]
        return open_files[0]

    writer = ShardWriter(
        "train-%06d.tar",
        maxcount=SHARD_EXAMPLES,
        maxsize=SHARD_BYTES,
        opener=open_shard,
        verbose=0,
        mtime=0,
    )
    try:
        for number, example in enumerate(progress(examples(view, kept), len(kept))):
            writer.write({"__key__": f"{number:09d}", **_entries(example, view)})
    finally:
        writer.close()
        for file in open_files:
            file.close()
    last = len(list(folder.glob("train-*.tar"))) - 1
    shards = f"train-{{000000..{last:06d}}}.tar" if last else "train-000000.tar"
    return Layout(
        'import webdataset\n\nkept = webdataset.WebDataset("PATH/'
        f'{shards}", shardshuffle=False).decode("pil")',
        "train-*.tar",
        "Tar shards; the `.json` of each example has its `example_id` in the source.",
    )


def _entries(example: Example, view: View) -> dict[str, Any]:
    """What goes into the tar, by extension; a second image gets its field's name in front."""
    described: dict[str, Any] = {"example_id": example.id}
    entries: dict[str, Any] = {}
    first = image_of(example)
    for name, value in example.values.items():
        field = re.sub(r"[^a-z0-9_]", "_", name.lower())
        if isinstance(value, EncodedImage):
            prefix = "" if value is first else f"{field}."
            entries[prefix + value.extension] = value.content
        elif isinstance(value, np.ndarray):
            entries[f"{field}.npy"] = value
        elif isinstance(value, bytes):
            entries[f"{field}.bin"] = value
        elif name == view.label_field and isinstance(value, int):
            entries["cls"] = str(int(value)).encode()
            described["class_name"] = view.class_name(int(value))
        elif name == view.label_field and isinstance(value, str):
            described["class_name"] = value
        else:
            described[name] = value
    text = json.dumps(described, default=_as_json, ensure_ascii=False)
    return {**entries, "json": text.encode(errors="replace")}


def _as_json(value: Any) -> float | str:
    """A number where it is one exactly, dates and times as ISO 8601 has them, else its text."""
    if isinstance(value, Decimal) and value.is_finite() and Decimal(float(value)) == value:
        return float(value)
    return value.isoformat() if isinstance(value, date | time) else str(value)
