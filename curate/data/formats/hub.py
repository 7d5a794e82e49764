"""Data sets from the Hugging Face hub."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.data.encoded import may_follow
from curate.data.example_set import ExampleSet
from curate.data.formats.columns import Columns, load_columns
from curate.errors import CurateError

if TYPE_CHECKING:
    import datasets


def hub(
    name: str, split: str, size: int | tuple[int, int] | None, errors: str = "raise"
) -> ExampleSet:
    """Load an image or feature data set with ``datasets.load_dataset``.

    Args:
        name: a name on the hub or a local folder; "NAME:CONFIG" for one of its configurations.
        split: "train" or "test" (a validation split stands in for a missing test split);
            without one, a stratified fifth is the test split.
        size, errors: as for :func:`curate.data.load`.

    Raises:
        CurateError: there is no such set, it cannot be downloaded, or its columns are unusable.
    """
    return load_columns(
        open_hub(name),
        split,
        columns=Columns(),
        size=size,
        follow=hub_files(name),
        errors=errors,
    )


def hub_files(name: str) -> tuple[Path, ...]:
    """The folders in which the files of "NAME" or "NAME:CONFIG" lie: its own, or the caches."""
    import datasets
    from huggingface_hub import constants

    folder = Path(name.partition(":")[0])
    hub_cache = Path(constants.HF_HUB_CACHE)
    if folder.is_dir():  # a snapshot in the cache holds links to files beside it
        inside = folder.resolve().is_relative_to(hub_cache.resolve())
        return (folder, hub_cache) if inside else (folder,)
    config = datasets.config
    return (Path(config.HF_DATASETS_CACHE), Path(config.DOWNLOADED_DATASETS_PATH), hub_cache)


def open_hub(name: str) -> Mapping[str, "datasets.Dataset"]:
    """All splits of "NAME" or "NAME:CONFIG", downloaded if need be.

    Raises:
        CurateError: there is no such set, it cannot be downloaded, or the card in a local folder
            names files outside of it.
    """
    import datasets

    path, _, config = name.partition(":")
    if not path:
        raise CurateError("name_or_path: 'hf:' lacks a name; give hf:NAME")
    # its cache takes a local folder with a card for any other of that name: do not use it there
    fresh = "force_redownload" if Path(path).is_dir() else None
    try:
        if fresh is not None:
            _check_inside(
                path, datasets.load_dataset_builder(path, config or None), hub_files(name)
            )
        return datasets.load_dataset(path, config or None, download_mode=fresh)
    except CurateError:
        raise
    except Exception as error:  # it raises errors of many libraries, down to those of HTTP
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CurateError(
            f"name_or_path: Hugging Face's datasets cannot load {name!r} ({reason}); check the "
            "name and the network"
        ) from error


def _check_inside(path: str, builder: Any, follow: tuple[Path, ...]) -> None:
    """Refuse a folder whose card (or a link in it) names files that are no part of it."""
    splits = getattr(builder.config, "data_files", None) or {}
    for file in (str(file) for files in splits.values() for file in files):
        if not may_follow(file, follow):
            raise CurateError(
                f"name_or_path: the set in {path!r} takes {file!r}, which is outside of it; load "
                "it with datasets.load_dataset if you trust it, or mend its card"
            )
