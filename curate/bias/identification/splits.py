"""Who trains and who is tested: equal numbers, and copies of one image never on both sides."""

import hashlib
from collections.abc import Sequence

import numpy as np

from curate.bias.sources.source import Source


def duplicate_groups(sources: Sequence[Source]) -> list[np.ndarray]:
    """For every source, int64 (n,): equal numbers mark equal images, within and across sources.

    Images are equal if their files or pixels are, byte for byte. Feature vectors are taken for
    different even where they are equal: of few columns many examples share their values.
    """
    known: dict[bytes, int] = {}
    found = []
    for source in sources:
        if not source.has_images:
            start = len(known)
            known.update(
                (f"{source.name} {row}".encode(), start + row) for row in range(len(source))
            )
            found.append(np.arange(start, start + len(source)))
            continue
        marks = np.empty(len(source), np.int64)
        for row in range(len(source)):
            if source.encoded is not None:
                digest = hashlib.blake2b(source.encoded[row], digest_size=16)
            else:
                assert source.pixels is not None
                digest = hashlib.blake2b(source.pixels[row].numpy().tobytes(), digest_size=16)
            marks[row] = known.setdefault(digest.digest(), len(known))
        found.append(marks)
    return found


def split_folds(
    groups: Sequence[np.ndarray], first: int, folds: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """For every source, int64 (n,): the fold 0..folds-1 of each example.

    Equal groups are in one fold. Fold 0 gets ``first`` of every source's examples, or a share
    of 1 / folds if that is more; the others share the rest evenly.
    """
    home = np.full(1 + max(int(marks.max()) for marks in groups), -1)
    for marks in groups:
        own, counts = np.unique(marks, return_counts=True)
        fresh = home[own] < 0
        own, counts = own[fresh], counts[fresh]
        order = rng.permutation(len(own))
        start = np.cumsum(counts[order]) - counts[order]
        target = max(first, len(marks) // folds)
        rest = max(1, len(marks) - target)
        later = 1 + (start - target) * (folds - 1) // rest
        home[own[order]] = np.where(start < target, 0, np.minimum(later, folds - 1))
    return [home[marks] for marks in groups]


def draw_equal(
    groups: Sequence[np.ndarray],
    allowed: Sequence[np.ndarray],
    size: int,
    rng: np.random.Generator,
) -> list[np.ndarray]:
    """For every source, up to ``size`` of the allowed rows at random, equally many of each source.

    One row at most of each group; the smallest source limits all. The order is random too, so
    that any beginning is itself a draw.
    """
    chosen = []
    for marks, mask in zip(groups, allowed, strict=True):
        rows = rng.permutation(np.flatnonzero(mask))
        _, first = np.unique(marks[rows], return_index=True)
        chosen.append(rows[np.sort(first)])
    size = min(size, *(len(rows) for rows in chosen))
    return [rows[:size] for rows in chosen]


def draw_apart(
    groups: Sequence[np.ndarray],
    allowed: Sequence[np.ndarray],
    size: int,
    rng: np.random.Generator,
) -> list[np.ndarray]:
    """:func:`draw_equal`, and of a group that several sources have, a random one of them.

    Of two copies under two names a classifier gets one right and one wrong: counted as two
    trials, their number would be steadier than an exact interval takes it for.
    """
    owner = np.repeat(np.arange(len(groups)), [int(mask.sum()) for mask in allowed])
    marks = np.concatenate([own[mask] for own, mask in zip(groups, allowed, strict=True)])
    order = rng.permutation(len(marks))
    # each source that has the group is as likely, however often it has it
    _, once = np.unique(np.stack([marks, owner])[:, order], axis=1, return_index=True)
    order = order[rng.permutation(once)]
    own, first = np.unique(marks[order], return_index=True)
    home = dict(zip(own.tolist(), owner[order[first]].tolist(), strict=True))
    narrowed = []
    for source, (own, mask) in enumerate(zip(groups, allowed, strict=True)):
        here = np.array([home.get(mark, -1) == source for mark in own.tolist()], bool)
        narrowed.append(mask & here)
    return draw_equal(groups, narrowed, size, rng)
