"""Columns of several tables as features of one width: matched by name, words as categories."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from curate.bias.sources.source import Source
from curate.errors import CurateError

_CATEGORIES = 30
"""The most categories of a column; what is rarer in every source is one more."""

_OWN = 0.5
"""Share of rows with a word that is new in their source, from which on there are no categories."""

_OTHER, _NONE = "(other)", "(none)"


def aligned(sources: Sequence[Source]) -> list[Source]:
    """Tables of columns brought to the same features, in the same order.

    Columns are the same where their names are. Every category of a column of words (the 30 that are
    most frequent in some source) is a feature of 0 and 1 under the name of its column. What cannot
    be compared is left out, and named in :attr:`Source.left_out`: columns that another source
    lacks or holds as another type, words of which most rows have their own, and all words where
    some source is an array.

    Raises:
        CurateError: the tables have no column in common.
    """
    tables = [source for source in sources if source.words is not None]
    if len(sources) < 2 or not tables:
        return list(sources)
    if len(tables) < len(sources):
        array = next(source.name for source in sources if source.words is None)
        return [_without_words(source, f"words, and {array!r} has none") for source in sources]
    numbers = _common([source.columns or () for source in tables])
    words = _common([tuple(source.words or ()) for source in tables])
    encoded = {name: _categories([_words(source, name) for source in tables]) for name in words}
    used = [name for name, kinds in encoded.items() if kinds is not None]
    if not numbers and not used:
        raise CurateError(
            f"sources: the tables {tables[0].name!r} and {tables[1].name!r} have no column in "
            "common that can be compared; give tables with the same columns"
        )
    found = []
    for source in tables:
        assert source.features is not None
        assert source.columns is not None
        places = [source.columns.index(name) for name in numbers]
        parts = [source.features[:, places]]
        columns = list(numbers)
        for name in used:
            indicators = _indicators(_words(source, name), encoded[name] or [])
            parts.append(indicators)
            columns += [name] * indicators.shape[1]
        reasons = {
            name: _reason(name, source, tables)
            for name in (*source.columns, *(source.words or ()))
            if name not in (*numbers, *used)
        }
        found.append(
            replace(
                source,
                features=np.ascontiguousarray(np.hstack(parts), np.float32),
                columns=tuple(columns),
                words=None,
                left_out={**source.left_out, **reasons},
            )
        )
    return found


def _common(lists: Sequence[Sequence[str]]) -> list[str]:
    """The names in all, in the order of the first."""
    return [name for name in lists[0] if all(name in other for other in lists[1:])]


def _words(source: Source, name: str) -> np.ndarray:
    assert source.words is not None
    return np.array([_NONE if word is None else word for word in source.words[name]], object)


def _categories(columns: Sequence[np.ndarray]) -> list[str] | None:
    """The categories of a column, the most frequent first; None where it holds none."""
    counts = [Counter(column.tolist()) for column in columns]
    rows = sum(map(len, columns))
    different = set().union(*counts)
    if len(different) > 2 and sum(map(len, counts)) > _OWN * rows:
        return None
    share = {
        word: max(one[word] / len(column) for one, column in zip(counts, columns, strict=True))
        for word in different
    }
    kinds = sorted(different, key=lambda word: (-share[word], word))
    return kinds if len(kinds) <= _CATEGORIES else [*kinds[:_CATEGORIES], _OTHER]


def _indicators(words: np.ndarray, kinds: list[str]) -> np.ndarray:
    """float32 (n, kinds): 1 where a row has the category; unknown words are the last one."""
    place = {kind: number for number, kind in enumerate(kinds)}
    which = [place.get(word, len(kinds) - 1) for word in words.tolist()]
    return np.eye(len(kinds), dtype=np.float32)[which]


def _reason(name: str, source: Source, tables: Sequence[Source]) -> str:
    is_words = name in (source.words or ())
    for other in tables:
        if name in other.left_out:
            return f"{other.left_out[name]} in {other.name!r}"
        if is_words and name in (other.columns or ()):
            return f"words, and numbers in {other.name!r}"
        if not is_words and name in (other.words or ()):
            return f"numbers, and words in {other.name!r}"
        if name not in (*(other.columns or ()), *(other.words or ())):
            return f"a column that {other.name!r} lacks"
    return "words of which most rows have their own, so no categories"


def _without_words(source: Source, reason: str) -> Source:
    left_out = {**source.left_out, **dict.fromkeys(source.words or (), reason)}
    return replace(source, words=None, left_out=left_out)
