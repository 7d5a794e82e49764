"""Writing the kept examples of a data set into a folder."""

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from curate.data._fingerprint import fingerprint
from curate.data.on_ray import Engine, checked_engine
from curate.data.opening import open_view
from curate.errors import CurateError
from curate.exporting.card import card
from curate.exporting.croissant import write_croissant
from curate.exporting.formats.huggingface import write_huggingface
from curate.exporting.formats.imagefolder import write_imagefolder
from curate.exporting.formats.indices import write_indices
from curate.exporting.formats.parquet import write_parquet
from curate.exporting.formats.webdataset import write_webdataset
from curate.exporting.kept import check_recorded, kept_positions
from curate.exporting.layout import Format
from curate.exporting.on_ray import ViewOnRay
from curate.exporting.provenance import provenance
from curate.exporting.replacing import CARD, PROVENANCE, check_place, export_folder, listed

if TYPE_CHECKING:
    from curate.pruning.selection import Selection

FormatName = Literal["huggingface", "parquet", "imagefolder", "webdataset", "indices"]
"""The names in ``FORMATS``, for editors and type checkers."""

FORMATS: dict[str, Format] = {
    "huggingface": Format(write_huggingface, "what datasets.load_dataset(path) opens"),
    "parquet": Format(write_parquet, "one Parquet file, images inside"),
    "imagefolder": Format(write_imagefolder, "image files in one folder per class"),
    "webdataset": Format(write_webdataset, "tar shards (pip install 'curate-data[webdataset]')"),
    "indices": Format(write_indices, "only which rows are kept, not the data"),
}
"""Every format that :func:`export` writes, by name."""


def export(
    dataset: Any,
    selection: "Selection",
    path: str | os.PathLike[str],
    format: FormatName | str = "huggingface",
    *,
    overwrite: bool = False,
    engine: Engine | None = None,
) -> Path:
    """Write the examples that a selection keeps, in the data set's order, into a new folder.

    Examples are read and written one after another: memory does not grow with the data set.
    Images that come as files (image folders, Parquet, Hugging Face) are copied byte for byte;
    arrays of uint8 become PNG, other arrays keep their type. Beside the data lie a card
    (``README.md``), ``croissant.json`` (Croissant 1.0) and ``provenance.json``. The folder appears
    whole or not at all.

    Args:
        dataset: what was recorded: anything of ``curate.data``, or a Hugging Face set with an
            ``example_id`` column.
        selection: what :func:`curate.prune` gave; it must know exactly the data set's ids, and if
            its table names the fingerprint of the data set that was recorded, that must be this.
        path: the folder to make.
        format: "huggingface" (``datasets.load_dataset(path)``), "parquet" (one file),
            "imagefolder" (``class/file``), "webdataset" (tar shards; needs
            ``curate-data[webdataset]``) or "indices" (only which rows).
        overwrite: replace an earlier export at ``path``; refused where any file there, at any
            depth, was not written by it or was changed since (an edited card, say).
        engine: what reads and encodes the examples: None: this process; "ray": the workers of a
            Ray cluster, as for :func:`curate.features.extract`. Tables and their rows are copied,
            the fingerprint is taken and files are written by this process; they are the same.

    Returns:
        The folder.

    Raises:
        CurateError: ids or fingerprints that do not match, nothing kept, a folder that may not be
            replaced, examples that the format cannot hold, or Ray is not installed.
        OSError: the disk is full or not writable; what was at ``path`` is untouched.
    """
    _check_format(format)
    on_ray = checked_engine(engine)
    if not hasattr(selection, "table") or not hasattr(selection, "policy"):
        raise CurateError(
            f"selection: a {type(selection).__name__}; give what curate.prune or "
            "curate.Selection.load returns"
        )
    view = open_view(dataset, needs_ids=True)
    kept = kept_positions(view.ids, selection)
    with export_folder(path, overwrite) as folder:
        content = fingerprint(view)  # first: it finds out random transforms
        check_recorded(selection, content)
        layout = FORMATS[format].write(ViewOnRay(view) if on_ray else view, kept, folder)
        origin = provenance(selection, format, view, content, kept)
        text = card(selection, view, layout, origin)
        write_croissant(folder, origin)
        (folder / CARD).write_text(text, encoding="utf-8", newline="\n")
        origin["contents"] = listed(folder)
        written = json.dumps(origin, indent=2, ensure_ascii=False, default=str)
        (folder / PROVENANCE).write_text(written + "\n", encoding="utf-8", newline="\n")
    return Path(path)


def check_export(
    dataset: Any,
    path: str | os.PathLike[str],
    format: FormatName | str = "huggingface",
    *,
    overwrite: bool = False,
) -> None:
    """Raise now what :func:`export` would raise in the end: hours of training may lie between.

    The first example is written to a temporary folder, so that a format which cannot hold it is
    named; ``path`` itself is looked at only.

    Args:
        dataset, path, format, overwrite: as for :func:`export`.

    Raises:
        CurateError: as :func:`export`.
    """
    _check_format(format)
    check_place(path, overwrite)
    view = open_view(dataset, needs_ids=True)
    with TemporaryDirectory() as folder:
        FORMATS[format].write(view, np.array([0]), Path(folder))


def _check_format(format: str) -> None:
    if not isinstance(format, str) or format not in FORMATS:
        raise CurateError(f"format: {format!r}; give one of {', '.join(FORMATS)}")
