"""Where an export comes from: enough to make it again."""

import hashlib
import platform
from datetime import datetime, timezone
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from curate import table as tables
from curate.data.content import feed_value
from curate.data.ids import Ids, take_ids
from curate.data.view import View
from curate.exporting.replacing import WRITER

if TYPE_CHECKING:
    from curate.pruning.selection import Selection

_PACKAGES = ("torch", "datasets", "pyarrow", "pillow", "numpy")


def provenance(
    selection: "Selection", format: str, view: View, fingerprint: str, kept: np.ndarray
) -> dict[str, Any]:
    """What ``provenance.json`` says, as JSON values.

    Args:
        selection: what is exported.
        format: the format of the export.
        view: the source.
        fingerprint: of the source as it was exported (:func:`curate.data.fingerprint`).
        kept: the positions of those that are exported.
    """
    total, count = len(view), len(kept)
    policy = dict(selection.policy)
    recorded = tables.metadata(selection.table).get("fingerprint")
    return {
        "written_by": WRITER,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "format": format,
        "source": {
            "type": view.kind,
            "fingerprint": fingerprint,
            "fingerprint_when_recorded": recorded,
        },
        "table_checksum": policy.get("table_checksum"),
        "policy": policy,
        "seeds": policy["seeds"] if "seeds" in policy else [policy.get("seed")],
        "content": _content(format, fingerprint, take_ids(view.ids, kept), view.types),
        "counts": {"total": total, "kept": count, "removed": total - count},
        "versions": {"python": platform.python_version(), **_versions()},
    }


def _content(format: str, fingerprint: str, kept: Ids, types: Any) -> str:
    """A hash of all that the exported data depends on."""
    digest = hashlib.sha256()
    parts: list[Any] = [format, fingerprint, tables.library_version(), kept]
    feed_value(digest.update, parts if types is None else [*parts, types])
    return f"sha256:{digest.hexdigest()}"


def _versions() -> dict[str, str]:
    return {
        "curate": tables.library_version(),
        **{package: version(package) for package in _PACKAGES},
    }
