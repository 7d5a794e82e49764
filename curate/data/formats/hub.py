"""Data sets from the Hugging Face hub."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

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
    if folder.is_dir():
        return (folder,)
    config = datasets.config
    places = (config.HF_DATASETS_CACHE, config.DOWNLOADED_DATASETS_PATH, constants.HF_HUB_CACHE)
    return tuple(Path(place) for place in places)


def open_hub(name: str) -> Mapping[str, "datasets.Dataset"]:
    """All splits of "NAME" or "NAME:CONFIG", downloaded if need be.

    Raises:
        CurateError: there is no such set, or it cannot be downloaded.
    """
    import datasets

    path, _, config = name.partition(":")
    if not path:
        raise CurateError("name_or_path: 'hf:' lacks a name; give hf:NAME")
    # its cache takes a local folder with a card for any other of that name: do not use it there
    fresh = "force_redownload" if Path(path).is_dir() else None
    try:
        return datasets.load_dataset(path, config or None, download_mode=fresh)
    except Exception as error:  # it raises errors of many libraries, down to those of HTTP
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CurateError(
            f"name_or_path: Hugging Face's datasets cannot load {name!r} ({reason}); check the "
            "name and the network"
        ) from error
