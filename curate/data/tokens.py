"""Texts as token ids, without a vocabulary to learn: words hashed into buckets."""

import re
import zlib
from collections.abc import Sequence

import numpy as np
import torch

from curate.errors import CurateError

VOCABULARY = 1 << 14
"""Token ids are 1 ... VOCABULARY - 1; 0 is padding."""

_LONGEST = 256
_WORD = re.compile(r"\w+|[^\w\s]")


def tokenize(texts: Sequence[str], length: int) -> torch.Tensor:
    """Token ids, int64 of shape (n, length): longer texts are cut, shorter ones padded with 0.

    A token is a run of letters and digits, or one other mark, in lower case; its id is a CRC-32 of
    its UTF-8 bytes, the same on every machine (the hashing trick, Weinberger et al., ICML 2009).
    """
    if isinstance(length, bool) or not isinstance(length, int | np.integer) or length < 0:
        raise CurateError(f"length: {length!r}; give a number of tokens, 0 or more")
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise CurateError("texts: not all are strings; give a list of them")
    tokens = np.zeros((len(texts), length), np.int64)
    for row, text in enumerate(texts):
        words = _WORD.findall(text.lower())[:length]
        tokens[row, : len(words)] = [_bucket(word) for word in words]
    return torch.from_numpy(tokens)


def common_length(texts: Sequence[str]) -> int:
    """Tokens that all but a twentieth of the texts do not exceed; at most 256."""
    lengths = [len(_WORD.findall(text)) for text in texts]
    return int(np.clip(np.ceil(np.quantile(lengths, 0.95)), 1, _LONGEST))


def _bucket(word: str) -> int:
    return zlib.crc32(word.encode("utf-8", "replace")) % (VOCABULARY - 1) + 1
