"""Two sets of features, in memory or in mapped files, read block by block."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from curate.data.view import View
from curate.errors import CurateError

_BLOCK = 1 << 23  # numbers of a block of rows: 32 MiB of float32
_SAMPLE = 4096  # rows that tell the scale


@dataclass(frozen=True)
class Pair:
    """Two checked sets; rows of both together are numbered 0..n-1 and n..n+m-1.

    Attributes:
        x: numbers (n, d), in memory or mapped from a file.
        y: numbers (m, d).
        mean: float64 (d,), of all rows.
        scale: root mean square of the deviations from it, in a sample; 1 if all are 0.
    """

    x: np.ndarray
    y: np.ndarray
    mean: np.ndarray
    scale: float

    @property
    def n(self) -> int:
        """Rows of x."""
        return len(self.x)

    @property
    def m(self) -> int:
        """Rows of y."""
        return len(self.y)

    @property
    def d(self) -> int:
        """Features."""
        return self.x.shape[1]

    @property
    def block(self) -> int:
        """Rows that are read together."""
        return max(1, _BLOCK // self.d)

    def normal(self, rows: np.ndarray | slice, of: np.ndarray) -> np.ndarray:
        """Rows of x or y less the mean, over the scale: float32.

        Distances keep their order; float32 holds them also where features are far off or huge.
        """
        values = _floating(of[rows])
        shifted = values - self.mean.astype(values.dtype)
        return (shifted / values.dtype.type(self.scale)).astype(np.float32, copy=False)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """:meth:`normal` rows of both together, in this order."""
        rows_taken = np.empty((len(rows), self.d), np.float32)
        order = np.argsort(rows, kind="stable")  # a mapped file is read forwards
        parted = np.searchsorted(rows[order], self.n)
        rows_taken[order[:parted]] = self.normal(rows[order[:parted]], self.x)
        rows_taken[order[parted:]] = self.normal(rows[order[parted:]] - self.n, self.y)
        return rows_taken

    def sample(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Different rows of both together, drawn at random; all, shuffled, if there are fewer."""
        total = self.n + self.m
        return self.take(rng.choice(total, min(count, total), replace=False, shuffle=True))


def as_pair(x: Any, y: Any) -> Pair:
    """Check two sets of features.

    Args:
        x: numbers of shape (n, d): an array (also mapped from a file), a tensor, or a view of a
            set of features (a :class:`curate.bias.Source`).
        y: of shape (m, d).

    Raises:
        CurateError: other shapes or types, fewer than two rows, or values that are not finite.
    """
    x, y = _numbers("x", x), _numbers("y", y)
    if x.shape[1] != y.shape[1]:
        raise CurateError(f"y: {y.shape[1]} features per example where x has {x.shape[1]}")
    total = np.zeros(x.shape[1])
    for name, values in (("x", x), ("y", y)):
        for start, rows in _blocks(values):
            with np.errstate(over="ignore", invalid="ignore"):
                sums = rows.sum(0, dtype=np.float64)
            if not np.isfinite(sums).all():
                _refuse(name, start, rows)
            total += sums
    mean = total / (len(x) + len(y))
    return Pair(x, y, mean, _scale(x, y, mean))


def _scale(x: np.ndarray, y: np.ndarray, mean: np.ndarray) -> float:
    samples = [_floating(of[:: max(1, len(of) // _SAMPLE)]) - mean for of in (x, y)]
    largest = max(float(np.abs(part).max()) for part in samples)
    if not largest:
        return 1.0
    squares = [np.square(part / largest).mean(1) for part in samples]  # of shares: no overflow
    return largest * float(np.sqrt(np.concatenate(squares).mean()))


def _numbers(name: str, given: Any) -> np.ndarray:
    if isinstance(given, View):
        if given.features is None:
            raise CurateError(
                f"{name}: source {given.name!r} has images, not features; give "
                "curate.features.extract(source)"
            )
        given = given.features
    if isinstance(given, torch.Tensor):
        given = given.detach().cpu()
        given = (given.float() if given.dtype == torch.bfloat16 else given).numpy()
    values = given if isinstance(given, np.ndarray) else np.asarray(given)
    if values.ndim != 2 or values.dtype.kind not in "fiub" or not values.shape[1]:
        raise CurateError(
            f"{name}: {values.dtype} of shape {values.shape}; give numbers of shape (examples, "
            "features)"
        )
    if len(values) < 2:
        raise CurateError(f"{name}: {len(values)} examples; give at least 2")
    return values


def _blocks(values: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    step = max(1, _BLOCK // values.shape[1])
    for start in range(0, len(values), step):
        yield start, values[start : start + step]


def _floating(values: np.ndarray) -> np.ndarray:
    if values.dtype in (np.float32, np.float64):
        return values
    return values.astype(np.float32 if values.dtype == np.float16 else np.float64)


def _refuse(name: str, start: int, rows: np.ndarray) -> None:
    bad = np.argwhere(~np.isfinite(rows))
    if not len(bad):
        raise CurateError(f"{name}: the sum of a feature overflows; scale the features down")
    row, column = bad[0].tolist()
    raise CurateError(
        f"{name}: feature {column} of example {start + row} is {rows[row, column]}; give finite "
        "numbers"
    )


def copies(pair: Pair, rng: np.random.Generator) -> np.ndarray:
    """The same 64-bit number for equal rows of both sets together, as float32 sees them: (n + m,).

    Different rows have different numbers, but for one pair in about 2^60.
    """
    weights = rng.integers(0, 1 << 63, pair.d, np.uint64) * np.uint64(2) + np.uint64(1)
    hashes = np.empty(pair.n + pair.m, np.uint64)
    step = max(1, pair.block // 4)  # 64-bit numbers are made of them
    for first, values in ((0, pair.x), (pair.n, pair.y)):
        for start in range(0, len(values), step):
            rows = pair.normal(slice(start, start + step), values) + np.float32(0)  # -0 is 0
            bits = rows.view(np.uint32)
            # round numbers end in many 0 bits, which the product would keep
            bits = (bits ^ (bits >> np.uint32(15))) * np.uint32(0x9E3779B1)
            bits ^= bits >> np.uint32(16)
            hashes[first + start : first + start + len(rows)] = bits.astype(np.uint64) @ weights
    return hashes
