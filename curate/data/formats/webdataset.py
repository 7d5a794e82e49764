"""WebDataset's tar shards, read where they lie: an image is fetched when it is asked for."""

import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from curate.data.depth import Depth
from curate.data.example_set import ExampleSet
from curate.data.formats.images import image_endings, is_visible, warn_left_out
from curate.data.formats.parquet import split_of
from curate.data.formats.whole import check_errors, whole_images
from curate.data.holdout import TEST_NAMES, TRAIN_NAMES, split_rows
from curate.data.ids import checked_ids, take_ids
from curate.data.pixels import common_shape
from curate.errors import CurateError
from curate.files import file_name
from curate.table.remote import is_remote, list_files, open_file, read_at

_CLASS = ".cls"


class Members:
    """The contents of members of tar files, read where they lie.

    Args:
        shards: the files, here or at URIs.
        shard, offset, size: int64 (n,), where each member is.
    """

    def __init__(
        self, shards: list[str], shard: np.ndarray, offset: np.ndarray, size: np.ndarray
    ) -> None:
        self.shards, self.shard, self.offset, self.size = shards, shard, offset, size

    def __len__(self) -> int:
        return len(self.shard)

    def __getitem__(self, position: int) -> bytes:
        path, size = self.shards[self.shard[position]], int(self.size[position])
        try:
            content = read_at(path, int(self.offset[position]), size)
        except OSError as error:
            raise CurateError(
                f"dataset: {path!r} cannot be read ({error.strerror}); restore it, or load "
                "the shards again"
            ) from error
        if len(content) != size:
            raise CurateError(f"dataset: {path!r} ends too early; load the shards again")
        return content

    def take(self, rows: np.ndarray) -> "Members":
        """Those at these positions."""
        return Members(self.shards, self.shard[rows], self.offset[rows], self.size[rows])


def webdataset(
    path: str | os.PathLike[str],
    *,
    split: str | None = None,
    size: int | tuple[int, int] | None = None,
    errors: Literal["raise", "skip"] = "raise",
) -> ExampleSet:
    """Load a tar file, or a folder of them, as the ``webdataset`` package writes them.

    Members that share a name up to its first dot are one example: an image, and its class in
    ``.cls`` (an index or a name) or in the ``.json`` (``label``, ``class_name``). The ids are
    ``example_id`` of the ``.json``, as our own exports have it, else the shared names. The
    headers of the shards are read once; images are read from them when asked for, at a URI too
    (:func:`curate.data.load` keeps a copy of them instead).

    Args:
        path: the file or folder, here or at a URI (``s3://``, ``gs://`` …); shards may be named
            for a split (``train-000000.tar`` …).
        split, size, errors: as for :func:`curate.data.load`; split None: all examples.

    Raises:
        CurateError: no such file, a torn or compressed one, examples without image or class, or
            ids that occur twice.
    """
    check_errors(errors)
    if split is not None and split not in ("train", "test"):
        raise CurateError(f"split: {split!r}; give 'train' or 'test'")
    root = file_name(path)
    shards = _shards(path)
    if not shards:
        raise CurateError(f"path: {root!r} holds no .tar file; give a folder that does")
    splits: dict[str, list[str]] = {}
    for shard in shards:
        name = "" if shard == root else shard.rpartition("/")[2]
        splits.setdefault(split_of(Path(name)), []).append(shard)
    train = next((splits[name] for name in TRAIN_NAMES if name in splits), None)
    test = next((splits[name] for name in TEST_NAMES if name in splits), None)
    if train is not None and test is not None:
        if split is None:
            raise CurateError(f"split: there are {sorted(splits)}; give 'train' or 'test'")
        reference = _scan(train)
        taken = reference if split == "train" else _scan(test, reference.class_names)
    else:
        reference = taken = _scan([shard for shards in splits.values() for shard in shards])
        if split is not None:
            taken = taken.take(split_rows(taken.labels, taken.ids, split))
    shape = common_shape(reference.members, size, reference.ids, skip=errors == "skip")
    broken: dict[Any, str] = {}
    if errors == "skip":
        kept, broken = whole_images(taken.members, taken.ids)
        taken = taken.take(kept)
        warn_left_out(broken, root)
    return ExampleSet(
        taken.ids,
        taken.labels,
        taken.class_names,
        shape=shape,
        encoded=taken.members,
        depth=Depth(reference.members),
        left_out=broken,
    )


def holds_shards(path: Path) -> bool:
    """Whether this is a tar file, or a folder with such files (and no folders: classes)."""
    if path.is_file():
        return path.suffix == ".tar"
    return bool(_shards(path)) and not any(
        place.is_dir() and is_visible(place.name) for place in path.iterdir()
    )


def _shards(path: str | os.PathLike[str]) -> list[str]:
    root = file_name(path)
    if is_remote(path):
        found = list_files(root)
    elif os.path.isdir(root):
        found = sorted(place.as_posix() for place in Path(root).iterdir())
    else:
        found = [root]
    if found == [root]:
        return found
    names = [(place.rpartition("/")[2], place) for place in found]
    return [place for name, place in names if name.endswith(".tar") and name[0] not in "._"]


class _Scan:
    """The examples of some shards."""

    def __init__(
        self, members: Members, ids: Any, labels: np.ndarray, class_names: list[str] | None
    ) -> None:
        self.members, self.ids, self.labels, self.class_names = members, ids, labels, class_names

    def take(self, rows: np.ndarray) -> "_Scan":
        ids = take_ids(self.ids, rows)
        return _Scan(self.members.take(rows), ids, self.labels[rows], self.class_names)


def _scan(shards: list[str], classes: list[str] | None = None) -> _Scan:
    places: list[tuple[int, int, int]] = []
    ids: list[Any] = []
    given: list[tuple[int | None, str | None]] = []
    for number, shard in enumerate(shards):
        for key, image, facts in _examples(shard):
            places.append((number, *image))
            ids.append(facts.get("example_id", key))
            given.append(_class_of(facts, f"{key!r} in {shard!r}"))
    if not places:
        folder = shards[0].rpartition("/")[0]
        raise CurateError(f"path: {folder!r} holds no examples in its tar files")
    shard_of, offset, size = np.array(places, np.int64).T
    labels, names = _numbered(given, classes)
    return _Scan(Members(shards, shard_of, offset, size), checked_ids(ids, len(ids)), labels, names)


def _examples(shard: str) -> Iterator[tuple[str, tuple[int, int], dict[str, Any]]]:
    """Of each example its name, where its image lies, and what is told of it."""
    image: tuple[int, int] | None = None
    facts: dict[str, Any] = {}
    key: str | None = None
    try:
        with open_file(shard) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for member in [*tar, None]:
                folder, _, name = member.name.rpartition("/") if member else ("", "", "")
                if member is not None and (not member.isfile() or name.startswith(("._", "__"))):
                    continue
                stem, _, ending = name.partition(".")
                named = f"{folder}/{stem}" if folder else stem
                if key is not None and (member is None or named != key):
                    if image is None:
                        raise CurateError(
                            f"path: the example {key!r} in {shard!r} has no image; write the "
                            "shards again with one"
                        )
                    yield key, image, facts
                    image, facts = None, {}
                if member is None:
                    return
                key, last = named, f".{ending.lower().rpartition('.')[2]}"
                if last in image_endings() and (image is None or "." not in ending):
                    image = member.offset_data, member.size
                elif last in (_CLASS, ".json"):
                    content = tar.extractfile(member)
                    assert content is not None
                    facts = {**_told(content.read(), last), **facts}
    except (tarfile.TarError, OSError, UnicodeDecodeError, ValueError) as error:
        raise CurateError(
            f"path: {shard!r} cannot be read as a tar file ({error}); it may be torn or "
            "compressed: write it again, without compression"
        ) from error


def _told(content: bytes, ending: str) -> dict[str, Any]:
    if ending == _CLASS:
        return {"label": content.decode().strip()}
    told = json.loads(content)
    return told if isinstance(told, dict) else {}


def _class_of(facts: dict[str, Any], name: str) -> tuple[int | None, str | None]:
    """The class's number and its name, as far as they are told."""
    label, called = facts.get("label"), facts.get("class_name")
    if label is None and called is None:
        raise CurateError(
            f"path: the example {name} has no class; add a .cls, or a label to its .json"
        )
    text = None if label is None else str(label)
    if text is not None and text.isascii() and text.isdigit():
        return int(text), None if called is None else str(called)
    return None, str(called) if text is None else text


def _numbered(
    given: list[tuple[int | None, str | None]], classes: list[str] | None
) -> tuple[np.ndarray, list[str] | None]:
    """Class indices, and names where they are known; names alone are numbered in their order."""
    numbers = [number for number, _ in given if number is not None]
    if len(numbers) == len(given):
        called = {number: name for number, name in given if name is not None}
        if classes is None and called:
            classes = [called.get(number, str(number)) for number in range(max(numbers) + 1)]
        return np.array(numbers, np.int64), classes
    if numbers:
        raise CurateError("path: some classes are numbers and others names; give all the same way")
    names = [str(name) for _, name in given]
    known = sorted(set(names)) if classes is None else classes
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise CurateError(
            f"path: the class {unknown[0]!r} of the test shards is in no training shard; both need "
            "the same classes"
        )
    place = {name: number for number, name in enumerate(known)}
    return np.array([place[name] for name in names], np.int64), known
