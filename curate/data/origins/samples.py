"""Views of data sets that give one sample at a time: torchvision's, and any map-style set."""

import operator
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from torch.utils.data import TensorDataset

from curate.data.content import Feed, feed_arrays, feed_value
from curate.data.encoded import Encoded, Files, ImageFile, Taken
from curate.data.ids import Ids
from curate.data.pixels import as_pixels, is_image
from curate.data.unwrap import is_torchvision
from curate.data.view import View, printable
from curate.errors import CurateError

_FETCHED_TWICE = 4


class SamplesView(View):
    """Samples as fetched: a mapping, or a tuple of image, text or features; label; and others."""

    encoded: Encoded | None = None
    columns = pixels = features = None

    def __init__(
        self, root: Any, positions: np.ndarray, ids: Ids, name: str, *, carries_ids: bool
    ) -> None:
        self.root, self.positions, self.ids, self.name = root, positions, ids, name
        self.kind = type(root).__name__
        self.carries_ids = carries_ids  # whether the samples of ``root`` end with an id
        names = getattr(root, "classes", None)
        is_names = isinstance(names, list) and all(isinstance(name, str) for name in names)
        self.class_names = printable(names if is_names and names else None)

    @cached_property
    def labels(self) -> np.ndarray | None:  # type: ignore[override]
        """The integer labels; every sample is fetched for them, once, unless it has targets."""
        targets = getattr(self.root, "targets", None) if is_torchvision(self.root) else None
        if targets is not None:
            return np.asarray(targets, np.int64)[self.positions]
        labels = [self.value(position).get("label") for position in range(len(self))]
        try:
            return np.array([operator.index(label) for label in labels], np.int64)  # type: ignore[arg-type]
        except TypeError:
            return None

    @property
    def has_images(self) -> bool:
        """Whether the first sample holds an image."""
        return len(self) > 0 and _image_of(self.value(0)) is not None

    def image(self, position: int) -> np.ndarray:
        """The image of one sample; see :meth:`View.image`."""
        if self.encoded is not None:
            return super().image(position)
        self._check(np.asarray(position))
        image = _image_of(self.value(position))
        if image is None:
            raise CurateError(
                f"dataset: example {self.id_at(position)!r} of {self.name!r} holds no image"
            )
        return as_pixels(image)

    def value(self, position: int) -> dict[str, Any]:
        """One example by name; see :meth:`View.value`."""
        sample = self.root[int(self.positions[position])]
        if isinstance(sample, Mapping):
            return {str(key): value for key, value in sample.items() if key != "example_id"}
        items = sample if isinstance(sample, tuple) else (sample,)
        return _named(items[:-1] if self.carries_ids else items)

    def feed(self, feed: Feed) -> None:
        """The content for a hash; the order of the calls is part of the definition."""
        arrays = self._arrays()
        if arrays is not None:
            feed_arrays(feed, arrays, self.positions)
            return
        root = self.root
        with _same_random_state():
            for row in self.positions[:_FETCHED_TWICE].tolist():
                if _digest(root[row]) != _digest(root[row]):
                    raise CurateError(
                        f"dataset: sample {row} differs from fetch to fetch, so it "
                        "has a random transform; give the data set without it"
                    )
            for row in self.positions.tolist():
                feed_value(feed, root[row])

    def _arrays(self) -> dict[str, Any] | None:
        """The arrays behind a data set whose samples are their rows, if it is such a one."""
        root = self.root
        if type(root) is TensorDataset:
            return {str(number): tensor for number, tensor in enumerate(root.tensors)}
        if not is_torchvision(root):
            return None
        data, targets = getattr(root, "data", None), getattr(root, "targets", None)
        if isinstance(targets, list) and all(isinstance(target, int) for target in targets):
            targets = np.array(targets, np.int64)
        arrays = {"data": data, "targets": targets}
        if all(isinstance(array, torch.Tensor | np.ndarray) for array in arrays.values()):
            return arrays
        return None


class FolderView(SamplesView):
    """torchvision's ``ImageFolder``: its files as they are, not decoded."""

    types = None  # the names of the classes are fed

    @cached_property
    def encoded(self) -> Encoded:  # type: ignore[override]
        """The image files, if that is what the set holds."""
        whole = Files("", [name for name, _ in self.root.samples])
        return Taken(whole, self.positions)

    @property
    def has_images(self) -> bool:
        """Whether the first sample holds an image."""
        return True

    def value(self, position: int) -> dict[str, Any]:
        """One example by name; see :meth:`View.value`."""
        label = self.root.samples[int(self.positions[position])][1]
        return {"image": ImageFile(self.encoded[position]), "label": label}

    def feed(self, feed: Feed) -> None:
        """The content for a hash; the order of the calls is part of the definition."""
        feed_arrays(feed, {"label": np.array(self.root.targets, np.int64)}, self.positions)
        feed_value(feed, self.root.classes)
        for position in range(len(self)):
            feed_value(feed, self.encoded[position])


def _image_of(value: Mapping[str, Any]) -> Any:
    return next((entry for entry in value.values() if is_image(entry)), None)


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


def _digest(sample: Any) -> bytes:
    digest = sha256()
    feed_value(digest.update, sample)
    return digest.digest()


@contextmanager
def _same_random_state() -> Iterator[None]:
    """Fetching samples may draw random numbers; training must not notice."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
