"""Seeded 64-bit hashes of example ids: the only source of randomness in a selection."""

import operator

import numpy as np
import pyarrow as pa

from curate.errors import CurateError

_PURPOSES = {"ties": 0x7469657300000000, "random": 0x72616E646F6D0000}
_GOLDEN = 0x9E3779B97F4A7C15
_WORD = (1 << 64) - 1
_BLOCK = 1 << 15  # ids at a time: what is at work stays in the processor's cache


def hash_ids(
    ids: pa.ChunkedArray | pa.Array | np.ndarray, *, seed: int = 0, purpose: str = "ties"
) -> np.ndarray:
    """A 64-bit hash of (seed, purpose, id) for each id, the same on every machine.

    With ``mix`` the finaliser of SplitMix64 (Steele et al., OOPSLA 2014; variant 13 of Stafford)
    and ``key = mix(mix(seed + G) ^ purpose)``, where G = 0x9E3779B97F4A7C15 and all arithmetic is
    modulo 2**64: an int64 id hashes to ``mix(id + key)``, a bijection, so that no two ids ever
    tie; a string starts from ``mix(key ^ (bytes in UTF-8))`` and takes in its bytes eight at a
    time, as little-endian words padded with zeros, by ``h = mix(h ^ word) + G``.

    Args:
        ids: int64 (or smaller integers) or strings, shape (n,), without nulls.
        seed: any integer; taken modulo 2**64.
        purpose: ``"ties"`` or ``"random"``: two independent draws for the same seed, so that a
            random baseline does not share its luck with the tie-break that it is compared with.

    Returns:
        uint64 of shape (n,).

    Raises:
        CurateError: ids that are neither integers nor strings, or null ids.
    """
    if not isinstance(purpose, str) or purpose not in _PURPOSES:
        raise CurateError(f"purpose: {purpose!r}; give 'ties' or 'random'")
    try:
        seed = operator.index(seed)
    except TypeError:
        raise CurateError(f"seed: {seed!r}; give a whole number") from None
    key = _mix_int(_mix_int((seed + _GOLDEN) & _WORD) ^ _PURPOSES[purpose])
    ids = pa.array(ids) if isinstance(ids, np.ndarray) else ids
    if not isinstance(ids, pa.Array | pa.ChunkedArray):
        raise CurateError(
            f"example_id: a {type(ids).__name__}; give an Arrow or NumPy array of ids"
        )
    _check(ids)
    hashes = np.empty(len(ids), np.uint64)
    start = 0
    for chunk in ids.chunks if isinstance(ids, pa.ChunkedArray) else [ids]:
        for offset in range(0, len(chunk), _BLOCK):
            block = chunk.slice(offset, _BLOCK)
            hash_block = _hash_integers if pa.types.is_integer(ids.type) else _hash_strings
            hashes[start : start + len(block)] = hash_block(block, key)
            start += len(block)
    return hashes


def mix(words: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser, a bijection of uint64, in place."""
    words ^= words >> np.uint64(30)
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words


def _mix_int(word: int) -> int:
    return int(mix(np.array([word], np.uint64))[0])


def _check(ids: pa.ChunkedArray | pa.Array) -> None:
    known = pa.types.is_integer, pa.types.is_string, pa.types.is_large_string
    if len(ids) and not any(is_type(ids.type) for is_type in known):
        raise CurateError(f"example_id: ids of type {ids.type}; ids are int64 or strings")
    if ids.null_count:
        raise CurateError(f"example_id: {ids.null_count} rows have a null id; give each row an id")


def _hash_integers(ids: pa.Array, key: int) -> np.ndarray:
    words = ids.to_numpy().astype(np.int64).view(np.uint64)
    words += np.uint64(key)
    return mix(words)


def _hash_strings(ids: pa.Array, key: int) -> np.ndarray:
    offset_type = np.int64 if pa.types.is_large_string(ids.type) else np.int32
    _, offsets_buffer, data = ids.buffers()
    offsets = np.frombuffer(offsets_buffer, offset_type)[ids.offset : ids.offset + len(ids) + 1]
    offsets = offsets.astype(np.int64)
    first, last = int(offsets[0]), int(offsets[-1])
    starts, lengths = offsets[:-1] - first, np.diff(offsets)
    text = np.zeros(last - first + 8, np.uint8)  # so that the last word of the last id is there
    if last > first:
        text[:-8] = np.frombuffer(data, np.uint8)[first:last]
    # The little-endian word that starts at each byte: a view, eight times overlapping.
    words = np.ndarray(last - first + 1, "<u8", text, strides=(1,))
    hashes = mix(np.uint64(key) ^ lengths.astype(np.uint64))
    shortest, active = int(lengths.min()), np.arange(len(lengths))
    for position in range(0, int(lengths.max()), 8):
        if position + 8 <= shortest:  # a whole word of every id
            hashes = mix(hashes ^ words[starts + position]) + np.uint64(_GOLDEN)
            continue
        active = active[lengths[active] > position]
        missing = np.clip(position + 8 - lengths[active], 0, 7).astype(np.uint64)
        word = words[starts[active] + position] & (np.uint64(_WORD) >> (missing * np.uint64(8)))
        hashes[active] = mix(hashes[active] ^ word) + np.uint64(_GOLDEN)
    return hashes
