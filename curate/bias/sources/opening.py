"""Open sources: folders, files, names, arrays, tables, data sets."""

import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from curate.bias.sources.columns import aligned
from curate.bias.sources.folders import folder_source
from curate.bias.sources.source import Source
from curate.bias.sources.tables import arrow_source, file_source, hub_source, view_source
from curate.data._load import KNOWN, load
from curate.data.formats.images import warn_left_out
from curate.data.formats.parquet import holds_tables
from curate.data.formats.webdataset import holds_shards, webdataset
from curate.data.formats.whole import check_errors, whole_images
from curate.data.opening import open_view
from curate.errors import CurateError
from curate.table.remote import is_remote, local_copy

_ROWS = 1 << 14


def as_sources(
    sources: Mapping[str, Any] | Iterable[Any],
    *,
    errors: str = "raise",
    groups: str | Mapping[str, Sequence[Hashable]] | None = None,
) -> list[Source]:
    """Open sources of images or features, each under a name of its own.

    Args:
        sources: a mapping from names to any of these, or a list of the first three:

            - a :class:`Source`;
            - a path: a folder of images (at any depth, with or without class folders), a
              Parquet or Arrow file or folder with an image column, a column of lists of numbers,
              or columns of numbers, with or without labels; everything there is taken;
            - "digits", "mnist", "cifar10" or "hf:NAME": the training split of that set;
            - a data set that :func:`curate.data.load` returned, torchvision's ``ImageFolder``, or
              one of these within ``with_ids`` or ``Subset``;
            - uint8 (n, C, H, W) pixels, C of 1 or 3, or floating (n, d) features: a tensor or
              an array; ids are 0..n-1;
            - a ``pyarrow.Table`` or ``datasets.Dataset`` with columns as in a Parquet file.

            Tables of columns have those features in common whose names they share; words are
            categories (:func:`curate.bias.sources.columns.aligned`).
        errors: "raise" names the first broken image when it is met; "skip" decodes every image
            once, now, and leaves the broken ones out with a warning that counts them.
        groups: what belongs together (a patient, a film …): the name of a column that all tables
            have and that then is no feature; or, by the name of a source, one mark per example.
            Equal marks, also of different sources, are one group; None is an example of its own.

    Returns:
        The sources in their order. Files stay on disk until they are asked for. What is no part
        of them is in :attr:`Source.left_out`, with the reason.

    Raises:
        CurateError: something that is none of these, a path that does not exist or holds no
            examples, a name that is empty or given twice, or features that are not finite.

    Example:
        >>> dark, light = as_sources({
        ...     "dark": torch.zeros(4, 3, 8, 8, dtype=torch.uint8),
        ...     "light": torch.full((5, 1, 6, 6), 255, dtype=torch.uint8),
        ... })
        >>> dark.name, len(light), light.has_images
        ('dark', 5, True)
    """
    if isinstance(sources, str | bytes | os.PathLike | Source | torch.Tensor | np.ndarray):
        raise CurateError(f"sources: one {type(sources).__name__}; give a list or a mapping")
    if isinstance(sources, Mapping):
        pairs = list(sources.items())
    else:
        pairs = [(_name_of(source), source) for source in sources]
    names: set[str] = set()
    for name, _ in pairs:
        if not isinstance(name, str) or not name.strip():
            raise CurateError(f"sources: {name!r} is no name; give each source a name")
        if name in names:
            raise CurateError(
                f"sources: two are called {name!r}; give a mapping from names of your own"
            )
        names.add(name)
    check_errors(errors)
    column = groups if isinstance(groups, str) else None
    opened = [_checked(_source(name, source, column)) for name, source in pairs]
    if groups is not None and not isinstance(groups, str):
        opened = with_groups(opened, groups)
    if errors == "skip":
        opened = [_whole(source) for source in opened]
    return aligned(opened)


def _name_of(source: Any) -> str:
    if isinstance(source, Source):
        return source.name
    if isinstance(source, str | os.PathLike):
        text = os.fspath(source)
        path = Path(text)
        if text.startswith("hf:") or not path.exists():
            return text.removeprefix("hf:")
        return path.stem if path.is_file() else path.resolve().name
    raise CurateError(
        f"sources: a {type(source).__name__} in a list has no name; give a mapping from names"
    )


def with_groups(
    sources: Sequence[Source], groups: Mapping[str, Sequence[Hashable]]
) -> list[Source]:
    """The sources with the marks that are given for them.

    Raises:
        CurateError: groups of an unknown source, or not one mark per example.
    """
    names = [source.name for source in sources]
    for name in groups:
        if name not in names:
            raise CurateError(f"groups: {name!r} is none of the sources {names}")
    found = []
    for source in sources:
        own = groups.get(source.name)
        if own is not None:
            listed = own.tolist() if hasattr(own, "tolist") else list(own)
            if len(listed) != len(source):
                raise CurateError(
                    f"groups: {len(listed)} marks for the {len(source)} examples of "
                    f"{source.name!r}; give one per example"
                )
            marks = np.empty(len(listed), object)
            marks[:] = listed
            source = replace(source, groups=marks)
        found.append(source)
    return found


def _whole(source: Source) -> Source:
    """The source without its broken images."""
    if source.encoded is None:
        return source
    kept, broken = whole_images(source.encoded, source.ids)
    if not broken:
        return source
    warn_left_out(broken, source.name)
    left_out = {**{str(name): reason for name, reason in broken.items()}, **source.left_out}
    return replace(source.take(kept), left_out=left_out)


def _source(name: str, source: Any, groups: str | None) -> Source:
    found = _opened_source(name, source, groups)
    if groups is not None and found.groups is None:
        raise CurateError(
            f"groups: {name!r} is no table, so it has no column {groups!r}; give a mapping from "
            "its name to one mark per example"
        )
    return found


def _opened_source(name: str, source: Any, groups: str | None) -> Source:
    if isinstance(source, Source):
        return replace(source, name=name)
    if isinstance(source, str | os.PathLike):
        return _opened(name, os.fspath(source), groups)
    if isinstance(source, pa.Table):
        return arrow_source(name, source, groups)
    if isinstance(source, np.ndarray) and source.dtype.kind in "biuf":
        source = torch.from_numpy(np.ascontiguousarray(source, source.dtype.newbyteorder("=")))
    if isinstance(source, torch.Tensor):
        return _from_tensor(name, source.detach().cpu())
    if isinstance(source, np.ndarray) or not hasattr(source, "__getitem__"):
        raise CurateError(
            f"sources: {name!r} is a {type(source).__name__}, which is no path, name, tensor, "
            "array of numbers, table or data set"
        )
    try:
        view = open_view(source, name=name)
    except CurateError as error:
        raise CurateError(f"sources: {name!r}: {error}") from None
    if not len(view):
        raise CurateError(f"sources: {name!r} holds no examples; give at least one")
    return view_source(name, view, groups)


def _opened(name: str, name_or_path: str, groups: str | None) -> Source:
    if name_or_path.startswith("hf:") and not is_remote(name_or_path):
        return hub_source(name, name_or_path.removeprefix("hf:"), groups)
    path = local_copy(name_or_path)
    if name_or_path not in KNOWN:
        if holds_tables(path):
            return file_source(name, path, groups)
        if path.exists() and holds_shards(path):
            return view_source(name, open_view(webdataset(path), name=name))
        if path.is_dir():
            return folder_source(name, path)
    return view_source(name, open_view(load(name_or_path), name=name))


def _from_tensor(name: str, values: torch.Tensor) -> Source:
    shape = tuple(values.shape)
    ids = np.arange(shape[0] if shape else 0)
    if values.dtype == torch.uint8 and values.ndim == 4 and shape[1] in (1, 3) and 0 not in shape:
        return Source(name, ids, pixels=values)
    if values.is_floating_point() and values.ndim == 2 and 0 not in shape:
        return Source(name, ids, features=values.float().contiguous().numpy())
    raise CurateError(
        f"sources: {name!r} is {values.dtype} of shape {shape}; give uint8 images of shape "
        "(n, C, H, W) with 1 or 3 channels, or floating features of shape (n, d)"
    )


def _checked(source: Source) -> Source:
    if not len(source):
        raise CurateError(f"sources: {source.name!r} holds no examples; give at least one")
    if source.features is None:
        return source
    features = np.ascontiguousarray(source.features, np.float32)
    for start in range(0, len(features), _ROWS):
        finite = np.isfinite(features[start : start + _ROWS])
        if not finite.all():
            row, column = (np.argwhere(~finite)[0] + (start, 0)).tolist()
            example_id = source.ids[row] if isinstance(source.ids, list) else int(source.ids[row])
            named = f" ({source.columns[column]!r})" if source.columns else ""
            raise CurateError(
                f"sources: feature {column}{named} of example {example_id!r} of {source.name!r} is "
                f"{features[row, column]}; give finite numbers"
            )
    return replace(source, features=features)
