"""Which rows are copies of one another."""

import numpy as np

from curate.bias.shift.pair import Pair


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
