"""A source: one of the sets of images, or of feature vectors, that are told apart."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from curate.data.encoded import Encoded
from curate.data.ids import Ids, take_ids
from curate.data.pixels import decode
from curate.errors import CurateError


@dataclass(frozen=True)
class Source:
    """n examples under one name; they are encoded images, pixels or features.

    Attributes:
        name: what people call it; unique among the sources of one game.
        ids: int64 array of shape (n,), or list of n strings.
        encoded: the n image files' contents, read when asked for.
        pixels: uint8 tensor of shape (n, C, H, W), C of 1 or 3.
        features: float32 array of shape (n, d).
        labels: int64 class indices of shape (n,), where known.
        class_names: the name of each class, where known.
        columns: the column that each of the d features comes from, where known.
    """

    name: str
    ids: Ids
    encoded: Encoded | None = None
    pixels: torch.Tensor | None = None
    features: np.ndarray | None = None
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def has_images(self) -> bool:
        """Whether there are pictures to look at, and so pixel features and a nuisance audit."""
        return self.encoded is not None or self.pixels is not None

    def image(self, position: int) -> np.ndarray:
        """The image at its own size: uint8, (H, W) if grey, else (H, W, 3).

        Raises:
            CurateError: the examples are features, the file is torn, or there is no such position.
        """
        self._check(np.asarray(position))
        if self.encoded is not None:
            return decode(self.encoded[position], self.ids[position])
        if self.pixels is None:
            raise CurateError(f"source {self.name!r}: its examples are features, not images")
        pixels = self.pixels[position].numpy()
        return pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)

    def take(self, rows: np.ndarray) -> "Source":
        """The examples at these positions, in this order; files are still read when asked for.

        Args:
            rows: integers (k,), each from 0 to n - 1.

        Raises:
            CurateError: a position that is out of range or no integer.
        """
        rows = np.asarray(rows)
        self._check(rows)
        return replace(
            self,
            ids=take_ids(self.ids, rows),
            encoded=None if self.encoded is None else Taken(self.encoded, rows),
            pixels=None if self.pixels is None else self.pixels[torch.from_numpy(rows)],
            features=None if self.features is None else self.features[rows],
            labels=None if self.labels is None else self.labels[rows],
        )

    def _check(self, positions: np.ndarray) -> None:
        if positions.dtype.kind not in "iu":
            raise CurateError(f"source {self.name!r}: rows of {positions.dtype}; give integers")
        bad = positions[(positions < 0) | (positions >= len(self))]
        if bad.size:
            raise CurateError(
                f"source {self.name!r}: row {bad.flat[0]} of {len(self)} examples; give rows from "
                f"0 to {len(self) - 1}"
            )


class Taken:
    """Some of the image files of a set, by position."""

    def __init__(self, whole: Encoded, rows: np.ndarray) -> None:
        self.whole, self.rows = whole, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, position: int) -> bytes:
        return self.whole[int(self.rows[position])]
