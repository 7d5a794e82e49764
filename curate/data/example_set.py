"""A data set that :func:`curate.data.load` returns: tensors to train on, images to look at."""

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from curate.data.depth import Depth
from curate.data.encoded import Encoded, Follow, Taken
from curate.data.ids import Ids, take_ids
from curate.data.pixels import decode, fit
from curate.errors import CurateError


class ExampleSet(Dataset[Any]):
    """Labelled images, features or texts with ids; sample i is ``(tensor, label, id)``.

    The tensor is float32: an image of shape (C, H, W) in [0, 1], or the features; for texts it is
    int64 token ids of shape (T,), see :func:`curate.data.tokenize`. Values lie in
    memory as one array, or images stay encoded (on disk) and are decoded when asked for.

    Attributes:
        ids: int64 array of shape (n,), or list of n strings.
        labels: int64 array of shape (n,), class indices from 0.
        class_names: the name of each class, or None.
        shape: the shape of every sample's tensor.
        values: uint8 (n, C, H, W), float32 (n, ...) or int64 (n, T) tensor; None while images
            are decoded one by one.
        encoded: the n images as they are in their files; None for sets that have no files.
        texts: the n texts; None for other sets.
        dataset: the torchvision or Hugging Face data set underneath, if any.
        columns: the columns of a Hugging Face ``dataset`` that inputs and labels come from.
        follow: which files that rows of ``dataset`` only point at may be read.
        depth: how images of more than 8 bits become 8; None: by those of this set.
        left_out: what was not taken when the set was loaded, and why, by file name or id.
    """

    def __init__(
        self,
        ids: Ids,
        labels: np.ndarray,
        class_names: Sequence[str] | None,
        *,
        shape: Sequence[int],
        values: torch.Tensor | None = None,
        encoded: Encoded | None = None,
        texts: Sequence[str] | None = None,
        dataset: Any = None,
        columns: tuple[str, ...] = (),
        follow: Follow = True,
        depth: Depth | None = None,
        left_out: Mapping[Any, str] | None = None,
    ) -> None:
        self.ids = ids
        self.labels = np.asarray(labels, np.int64)
        self.class_names = None if class_names is None else list(class_names)
        self.shape = tuple(shape)
        self.values = values
        self.encoded = encoded
        self.texts = texts
        self.dataset = dataset
        self.columns, self.follow = columns, follow
        self.depth = Depth(encoded) if depth is None and encoded is not None else depth
        self.left_out = dict(left_out or {})
        self._shared: np.ndarray | None = None  # the values, as they were given to other processes
        self._shared_of: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        classes = "" if self.class_names is None else f", {len(self.class_names)} classes"
        return f"{type(self).__name__}({len(self):,} examples of shape {self.shape}{classes})"

    def __getitem__(self, index: Any) -> tuple[torch.Tensor, int, int | str]:
        position = operator.index(index)
        example_id = self.ids[position]
        example_id = example_id if isinstance(example_id, str) else int(example_id)
        return self._tensor(position), int(self.labels[position]), example_id

    def image(self, index: int) -> np.ndarray:
        """The image to look at: uint8, (H, W) if grey, else (H, W, 3), at its own size.

        Raises:
            CurateError: the examples are feature vectors.
        """
        if self.encoded is not None:
            return decode(self.encoded[index], self.ids[index], self.depth)
        values = self.values
        if values is None or values.dtype != torch.uint8:
            kind = "features" if self.texts is None else "tokens"
            raise CurateError(f"dataset: its examples are {kind} of shape {self.shape}, not images")
        pixels = values[index].numpy()
        return pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)

    def arrays(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Everything at once, so that batches need no Python call per example.

        Images that are still encoded are decoded now, once; that holds n·C·H·W bytes from then
        on.

        Returns:
            Values: uint8 of shape (n, C, H, W), float32 features of shape (n, ...), or int64 token
            ids of shape (n, T); and labels: int64 of shape (n,). Divide uint8 by 255 for the
            numbers of the samples.
        """
        if self.values is None:
            decoded = torch.empty((len(self), *self.shape), dtype=torch.uint8)
            for position in range(len(self)):
                decoded[position] = self._pixels(position)
            self.values = decoded
        return self.values, torch.from_numpy(self.labels)

    def take(self, positions: np.ndarray) -> "ExampleSet":
        """The examples at these positions, int of shape (k,), in this order."""
        rows = np.asarray(positions, np.int64)
        return ExampleSet(
            take_ids(self.ids, rows),
            self.labels[rows],
            self.class_names,
            shape=self.shape,
            values=None if self.values is None else self.values[torch.from_numpy(rows)],
            encoded=None if self.encoded is None else Taken(self.encoded, rows),
            depth=self.depth,
            texts=None if self.texts is None else [self.texts[row] for row in rows.tolist()],
        )

    def __getstate__(self) -> dict[str, Any]:
        """With the values as one NumPy array, which joblib puts in shared memory once."""
        if self.values is not None and self._shared_of is not self.values:
            self._shared, self._shared_of = self.values.numpy(), self.values
        values = None if self.values is None else self._shared
        left = {"values": values, "dataset": None, "_shared": None, "_shared_of": None}
        return {**self.__dict__, **left}

    def __setstate__(self, state: dict[str, Any]) -> None:
        values = state["values"]
        self.__dict__ = {**state, "values": None if values is None else torch.from_numpy(values)}

    def _pixels(self, position: int) -> torch.Tensor:
        return torch.from_numpy(fit(self.image(position), self.shape))

    def _tensor(self, position: int) -> torch.Tensor:
        raw = self._pixels(position) if self.values is None else self.values[position]
        return raw.float() / 255 if raw.dtype == torch.uint8 else raw
