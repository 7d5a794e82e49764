"""``format="huggingface"``: what ``datasets.load_dataset(path)`` opens and the hub takes."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from curate import table as files
from curate.data.view import View
from curate.exporting.arrow import tables
from curate.exporting.layout import Layout
from curate.exporting.progress import progress

SHARD_BYTES = 500 << 20
"""A shard that has reached this size is closed; the hub recommends 500 MB."""


def write_huggingface(view: View, kept: np.ndarray, folder: Path) -> Layout:
    """Write Parquet shards: ``data/train-00000-of-00001.parquet`` …"""
    groups = tables(view.whole(), kept)
    shards: list[Path] = []
    size = 0
    with ExitStack() as stack:
        writer: Any = None
        for group in progress(groups, len(kept), len):
            if writer is None or size >= SHARD_BYTES:
                stack.close()
                shards.append(folder / "data" / f"{len(shards)}.parquet")
                writer = stack.enter_context(files.open_writer(shards[-1], group.schema))
                size = 0
            writer.write_table(group)
            size += group.nbytes
    for number, shard in enumerate(shards):
        shard.rename(shard.with_name(f"train-{number:05d}-of-{len(shards):05d}.parquet"))
    return Layout(
        'import datasets\n\nkept = datasets.load_dataset("PATH", split="train")',
        "data/train-*.parquet",
        "Parquet files with Hugging Face's feature types; `example_id` is the id of each example "
        "in the source.",
    )
