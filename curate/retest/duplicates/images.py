"""The two sets of images that are compared, small and of one size, and which are equal."""

import hashlib
import os
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from curate.data._load import load
from curate.data.ids import Ids
from curate.data.on_ray import Engine, blocks_on_ray, checked_engine
from curate.data.opening import open_view
from curate.data.view import View
from curate.errors import CurateError
from curate.features._pixels import central_square

SIDE = 32
"""Pixels to a side at which pairs are compared."""

_ROWS = 256  # that a worker of a cluster decodes at a time


@dataclass(frozen=True, eq=False)
class Images:
    """n images as they are compared.

    Attributes:
        ids: int64 (n,) or list of n strings.
        labels: int64 (n,), where known.
        small: uint8 (n, 3, 32, 32).
        sized: uint8 (n, 3, s, s): what features are computed from; may be ``small`` itself.
        digests: bytes16 (n,): equal for images whose pixels at their own size are equal.
    """

    ids: Ids
    labels: np.ndarray | None
    small: torch.Tensor
    sized: torch.Tensor
    digests: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


def as_view(name: str, given: Any, root: Any = None, split: str = "train") -> View:
    """A view of a data set, a path or name that ``curate.data.load`` takes, or uint8 images.

    Raises:
        CurateError: something else, or a set without images.
    """
    if isinstance(given, str | os.PathLike):
        given = load(given, split, root)
    if isinstance(given, np.ndarray | torch.Tensor):
        nested = isinstance(given, torch.Tensor) and given.is_nested
        shape = "many" if nested else tuple(given.shape)
        bytes_ = given.dtype in (torch.uint8, np.dtype(np.uint8))
        if nested or not bytes_ or len(shape) != 4 or shape[1] not in (1, 3):
            raise CurateError(
                f"{name}: {given.dtype} of shape {shape}; give uint8 images of shape "
                "(n, C, H, W) with 1 or 3 channels"
            )
        if isinstance(given, np.ndarray):
            given = torch.from_numpy(np.ascontiguousarray(given))
        return _Pixels(name, given.cpu())
    view = open_view(given, name=name)
    if not view.has_images:
        raise CurateError(f"{name}: its examples are {view.content}, not images; give images")
    if not len(view):
        raise CurateError(f"{name}: it holds no examples; give at least one")
    return view


class _Pixels(View):
    def __init__(self, name: str, pixels: torch.Tensor) -> None:
        if not len(pixels):
            raise CurateError(f"{name}: it holds no examples; give at least one")
        self.name, self.pixels, self.ids = name, pixels, np.arange(len(pixels))
        self.labels = self.class_names = self.columns = self.encoded = self.features = None


def read_images(name: str, view: View, size: int, engine: Engine | None = None) -> Images:
    """Decode a set once: for pairs at 32×32, for features at ``size``.

    Raises:
        CurateError: an image that does not decode; the message names the example.
    """
    decoded = _Decoded.room(len(view), size)
    if not checked_engine(engine):
        decoded.fill(view, 0, name)
    else:
        start = 0
        for block in blocks_on_ray(view, partial(_block, name=name, size=size), _ROWS):
            stop = start + len(block.digests)
            decoded.small[start:stop], decoded.sized[start:stop] = block.small, block.sized
            decoded.digests[start:stop] = block.digests
            start = stop
    return Images(view.ids, view.labels, *decoded)


class _Decoded(NamedTuple):
    """The attributes of :class:`Images` that are read off pixels, of some rows."""

    small: torch.Tensor
    sized: torch.Tensor
    digests: np.ndarray

    @classmethod
    def room(cls, count: int, size: int) -> "_Decoded":
        """For so many images."""
        small = torch.empty((count, 3, SIDE, SIDE), dtype=torch.uint8)
        sized = small if size == SIDE else torch.empty((count, 3, size, size), dtype=torch.uint8)
        return cls(small, sized, np.empty(count, "S16"))

    def fill(self, view: View, start: int, name: str) -> None:
        """Decode as many images as there is room for, from ``start`` on."""
        small, sized, digests = self
        for row in range(len(digests)):
            image = _image(name, view, start + row)
            content = np.ascontiguousarray(image)
            shape = f"{image.shape}".encode()
            digest = hashlib.blake2b(content.data, digest_size=16, person=shape[:16]).digest()
            digests[row] = digest.replace(b"\0", b"\1")  # numpy drops zero bytes at the end
            small[row] = torch.from_numpy(central_square(image, SIDE).copy()).permute(2, 0, 1)
            if sized is not small:
                side = sized.shape[2]
                sized[row] = torch.from_numpy(central_square(image, side).copy()).permute(2, 0, 1)


def _block(view: View, start: int, stop: int, name: str, size: int) -> _Decoded:
    block = _Decoded.room(stop - start, size)
    block.fill(view, start, name)
    return block


def _image(name: str, view: View, row: int) -> np.ndarray:
    try:
        return view.image(row)
    except CurateError as error:
        raise CurateError(f"{name}: {error}") from error


def natural_size(name: str, view: View) -> int:
    """32 for small images; 64 for sets whose images have 48 pixels and more on a side."""
    rows = np.linspace(0, len(view) - 1, min(len(view), 32)).astype(int)
    sides = [min(_image(name, view, int(row)).shape[:2]) for row in rows]
    return SIDE if np.median(sides) < 48 else 64
