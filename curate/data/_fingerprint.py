"""A hash of what a data set holds: its ids and its content, in order."""

import hashlib
from typing import Any

from curate.data.content import feed_value
from curate.data.opening import open_view


def fingerprint(dataset: Any) -> str:
    """The SHA-256 of a data set's ids and content, the same in every process and machine.

    Another order, another id, or one changed bit gives another fingerprint. What is hashed:
    the rows of a Hugging Face set, the arrays of array-backed sets in bulk, the files of image
    folders and Parquet images as they are (not decoded), else every sample as fetched. The
    transforms of torchvision's own sets are left out.

    Args:
        dataset: any data set that :func:`curate.data.with_ids` takes; one without ids has the
            ids that ``with_ids`` would give.

    Returns:
        "sha256:" and 64 hexadecimal digits.

    Raises:
        CurateError: samples that differ from fetch to fetch (a random transform), or of a type
            that has no canonical bytes.
    """
    view = open_view(dataset)
    digest = hashlib.sha256(b"curate fingerprint 1")
    feed_value(digest.update, view.ids)
    view.feed(digest.update)
    return f"sha256:{digest.hexdigest()}"
