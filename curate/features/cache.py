"""Features kept on disk, so that they are computed once."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pyarrow as pa

from curate.data.content import feed_value
from curate.data.ids import Ids, as_arrow
from curate.data.view import View
from curate.errors import CurateError
from curate.table import annotate, open_stream, open_writer

_VERSION = 1
"""To be raised when a feature of the library changes: then old files are no longer found."""

_ROWS = 128


def cache_path(folder: str | os.PathLike[str], kind: str, source: View, options: object) -> Path:
    """The file for one kind of features of one source.

    Its name is ``kind`` and a hash of all that the features follow from: ids and content of the
    source, options, version. What a source is called leaves no trace.

    Args:
        kind: a word of the library's own.
        options: arrays, numbers, text, and containers of these.
    """
    digest = hashlib.sha256(b"curate features")
    feed_value(digest.update, [_VERSION, kind, options, source.ids])
    if source.encoded is not None:
        for row in range(len(source)):
            feed_value(digest.update, source.encoded[row])
    elif source.pixels is not None:
        for start in range(0, len(source), _ROWS):
            feed_value(digest.update, source.pixels[start : start + _ROWS])
    else:
        source.feed(digest.update)
    return Path(folder) / f"{kind}-{digest.hexdigest()[:32]}.parquet"


def write_cache(path: Path, ids: Ids, features: np.ndarray) -> None:
    """Write features, float32 (n, d), as the little-endian bytes of a row beside its id."""
    width = 4 * features.shape[1]
    rows = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(width), len(features), [None, pa.py_buffer(features.astype("<f4"))]
    )
    table = annotate(pa.table({"example_id": as_arrow(ids), "features": rows}))
    with open_writer(path, table.schema) as writer:
        writer.write_table(table, row_group_size=max(1, (1 << 26) // width))


def read_cache(path: Path, ids: Ids) -> np.ndarray | None:
    """The features in such a file; None where it is missing, torn or does not hold these ids."""
    if not path.is_file():
        return None
    features: np.ndarray | None = None
    start = 0
    try:
        for batch in open_stream(path, ["example_id", "features"]):
            stop, cells = start + len(batch), batch["features"]
            if not pa.types.is_fixed_size_binary(cells.type) or stop > len(ids):
                return None
            if not batch["example_id"].equals(as_arrow(ids[start:stop])):
                return None
            width = cells.type.byte_width // 4
            if features is None:
                features = np.empty((len(ids), width), np.float32)
            values = np.frombuffer(cells.buffers()[1], "<f4").reshape(-1, width)
            features[start:stop] = values[cells.offset : cells.offset + len(cells)]
            start = stop
    except CurateError:
        return None
    return features if start == len(ids) else None
