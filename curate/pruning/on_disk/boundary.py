"""Where a ranking that does not fit in memory is cut: the row of a given rank, by counting."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from curate.errors import CurateError

_SIGN = 1 << 63
_LAST = (1 << 64) - 1
_BUCKET_BITS = 16
_NAN = 0x7FF8  # the top bits of NaN
_TOP_OF_BUCKET = np.concatenate([np.arange(0xFFFF, 0x7FFF, -1), np.arange(0x8000)])
_MOST_COLLECTED = 1 << 22  # rows whose priorities and hashes are held in memory


class Ranked(NamedTuple):
    """A batch of rows to rank: by priority, the highest first, then by hash, the smallest first."""

    priority: np.ndarray  # float64, np.nan for a row that takes no part
    hashes: Callable[[np.ndarray], np.ndarray]  # row numbers -> uint64


Scan = Callable[[Callable[[Iterator[Ranked]], Any]], list[Any]]
"""visit -> what ``visit`` returns for each part of the rows."""


class Boundary(NamedTuple):
    """The last row before the cut."""

    priority: float
    hash: int

    def before(self, rows: Ranked) -> np.ndarray:
        """Mask of the rows that rank before the cut."""
        mask = rows.priority > self.priority
        tied = np.flatnonzero(rows.priority == self.priority)
        mask[tied] = rows.hashes(tied) <= np.uint64(self.hash)
        return mask


@dataclass
class Histogram:
    """Rows counted by the key of their priority, in 65,536 buckets of one width.

    The key of a float is its bits turned into an integer that sorts the same way.
    """

    low: int = 0
    high: int = _LAST

    def __post_init__(self) -> None:
        self.shift = max(0, (self.high - self.low).bit_length() - _BUCKET_BITS)
        self.counts = np.zeros(1 << _BUCKET_BITS, np.int64)
        self.whole = (self.low, self.high) == (0, _LAST)  # all are whole numbers or infinite

    def add(self, priority: np.ndarray) -> None:
        """Count rows; those out of the range, and NaN, are left out."""
        keys = _keys(priority)
        inside = keys <= np.uint64(self.high)
        inside &= keys >= np.uint64(self.low)
        inside &= priority == priority  # not NaN
        buckets = (keys[inside] - np.uint64(self.low)) >> np.uint64(self.shift)
        self.counts += np.bincount(buckets.view(np.int64), minlength=len(self.counts))

    def add_all(self, priority: np.ndarray) -> None:
        """The same over the whole range, three times as fast: by the top bits as they are."""
        priority = priority + 0.0  # -0.0 becomes 0.0
        top = (priority.view(np.uint64) >> np.uint64(64 - _BUCKET_BITS)).view(np.int64)
        counts = np.bincount(top, minlength=len(self.counts))
        uneven = np.count_nonzero(priority != np.floor(priority))
        self.whole = self.whole and uneven == counts[_NAN]
        counts[_NAN] = 0
        self.counts += counts[_TOP_OF_BUCKET]

    def merge(self, others: Iterable["Histogram"]) -> "Histogram":
        """Add the counts of others of the same range."""
        for other in others:
            self.counts += other.counts
            self.whole = self.whole and other.whole
        return self


@dataclass(frozen=True)
class _Interval:
    """Keys low ... high, which ``inside`` rows have; ``above`` rows have a higher key."""

    low: int
    high: int
    above: int
    inside: int


def find_boundary(rank: int, counted: Histogram, scan: Scan) -> Boundary:
    """The row of the given rank among all rows of a scan.

    A count over 65,536 buckets leaves the one bucket that holds the rank; then, once few enough
    rows are in question, these are collected and sorted. Where too many have the same priority,
    as with counts of events, their hashes decide: these are uniform, so that it is known
    beforehand where the one sought lies, give or take six standard deviations, and only hashes
    there are collected. Should it not be there, the search widens. Memory is bounded, the answer
    exact.

    Args:
        rank: 1 for the first row, at most the number of rows counted.
        counted: all rows, counted over the whole range.
        scan: goes through all rows; called once or twice in the usual case.
    """
    interval = _narrow(_Interval(0, _LAST, 0, int(counted.counts.sum())), counted, rank)
    while interval.inside > _MOST_COLLECTED and interval.low < interval.high:
        parts = scan(partial(_count, low=interval.low, high=interval.high))
        interval = _narrow(interval, parts[0].merge(parts[1:]), rank)
    low, high = _value(interval.low), _value(interval.high)
    for spread in (6.0, 600.0, 1e30):
        least, most = _window(rank - interval.above, interval.inside, spread)
        parts = scan(partial(_collect, low=low, high=high, least=least, most=most))
        index = rank - interval.above - sum(part[0] for part in parts) - 1
        priority = np.concatenate([part[1] for part in parts])
        hashes = np.concatenate([part[2] for part in parts])
        if 0 <= index < len(hashes):
            return _pick(priority, hashes, index)
    raise CurateError("path: the table changed between two scans; prune when nothing writes it")


def _count(rows: Iterator[Ranked], low: int, high: int) -> Histogram:
    histogram = Histogram(low, high)
    for batch in rows:
        histogram.add(batch.priority)
    return histogram


def _collect(
    rows: Iterator[Ranked], low: float, high: float, least: int, most: int
) -> tuple[int, np.ndarray, np.ndarray]:
    smaller, priorities, hashes = 0, [np.empty(0)], [np.empty(0, np.uint64)]
    for batch in rows:
        if low == high:
            inside = np.flatnonzero(batch.priority == low)
        else:
            inside = np.flatnonzero((batch.priority >= low) & (batch.priority <= high))
        candidates = batch.hashes(inside)
        smaller += int(np.count_nonzero(candidates < np.uint64(least)))
        near = (candidates >= np.uint64(least)) & (candidates <= np.uint64(most))
        priorities.append(batch.priority[inside[near]])
        hashes.append(candidates[near])
    return smaller, np.concatenate(priorities), np.concatenate(hashes)


def _pick(priority: np.ndarray, hashes: np.ndarray, index: int) -> Boundary:
    order = np.lexsort((hashes, -priority))
    chosen = Boundary(float(priority[order[index]]), int(hashes[order[index]]))
    if index + 1 < len(order):
        following = order[index + 1]
        if (priority[following], hashes[following]) == chosen:
            raise CurateError(
                "example_id: two tied rows have the same id or hash; make the ids unique, or, if "
                "they are, take another seed"
            )
    return chosen


def _window(rank: int, inside: int, spread: float) -> tuple[int, int]:
    """Between which hashes the rank-th smallest of ``inside`` uniform ones lies."""
    if inside <= _MOST_COLLECTED:
        return 0, _LAST
    share = rank / inside
    margin = min(1.0, spread * math.sqrt(share * (1 - share) / inside) + spread / inside)
    return max(0, int((share - margin) * 2.0**64)), min(_LAST, int((share + margin) * 2.0**64))


def _narrow(interval: _Interval, counted: Histogram, rank: int) -> _Interval:
    """The bucket that the rank lies in, or the one score that it can hold."""
    from_top = interval.above + np.cumsum(counted.counts[::-1])
    i = int(np.searchsorted(from_top, rank))
    bucket = len(from_top) - 1 - i
    inside = int(counted.counts[bucket])
    low = interval.low + (bucket << counted.shift)
    high = min(interval.high, low + (1 << counted.shift) - 1)
    only = _only_value(_value(low), _value(high), counted.whole)
    if only is not None:
        low = high = int(_keys(np.array([only]))[0])
    return _Interval(low, high, int(from_top[i]) - inside, inside)


def _only_value(low: float, high: float, whole: bool) -> float | None:
    """The one score that can be between two values, if there is only one."""
    if low == math.inf or high == -math.inf:  # beyond an infinity there is nothing but NaN
        return low if low == math.inf else high
    if not whole:
        return None
    first = math.ceil(low) if math.isfinite(low) else -math.inf
    last = math.floor(high) if math.isfinite(high) else math.inf
    return float(first) if first == last else None


def _keys(priority: np.ndarray) -> np.ndarray:
    bits = (priority + 0.0).view(np.int64)  # -0.0 becomes 0.0
    return bits.view(np.uint64) ^ ((bits >> 63).view(np.uint64) | np.uint64(_SIGN))


def _value(key: int) -> float:
    bits = key ^ _SIGN if key & _SIGN else key ^ _LAST
    return float(np.array([bits], np.uint64).view(np.float64)[0])
