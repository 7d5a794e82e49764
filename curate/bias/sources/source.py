"""A source: one of the sets of images, or of feature vectors, that are told apart."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from curate.data.encoded import Encoded, Taken
from curate.data.ids import Ids, take_ids
from curate.data.view import View


@dataclass(frozen=True, eq=False, repr=False)
class Source(View):
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
        words: columns of text of a table, each an object array of shape (n,), that
            :func:`curate.bias.as_sources` turns into features once it sees all sources; None
            where there are none or where that is done.
        groups: object array of shape (n,): equal marks, of any sources, belong together (a
            patient, a film …); None marks an example of its own.
        left_out: files, examples and columns that are no part of this, with the reason.
    """

    name: str
    ids: Ids
    encoded: Encoded | None = None
    pixels: torch.Tensor | None = None
    features: np.ndarray | None = None
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    words: Mapping[str, np.ndarray] | None = None
    groups: np.ndarray | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)

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
            words=None
            if self.words is None
            else {name: words[rows] for name, words in self.words.items()},
            groups=None if self.groups is None else self.groups[rows],
        )
