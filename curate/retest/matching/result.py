"""A matched test set: what was drawn, what was short, and how to draw it again."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import CurateError
from curate.files import atomic_path
from curate.notebook import Shown
from curate.table import as_table, library_version


@dataclass(frozen=True, eq=False, repr=False)
class Matched(Shown):
    """Examples that were drawn from a pool to match an original set.

    Attributes:
        table: the rows of the pool that were drawn, sub-class by sub-class.
        sizes: one row per sub-class: subclass, original (examples of it there), wanted (by the
            rule), available (in the pool, without those left out), drawn.
        options: by, n, rule, total and seed.
        candidates: examples of the pool.
    """

    table: pa.Table
    sizes: pa.Table
    options: Mapping[str, Any]
    candidates: int

    @property
    def shortfall(self) -> pa.Table:
        """The rows of :attr:`sizes` of which fewer could be drawn than wanted."""
        return self.sizes.filter(pc.less(self.sizes["drawn"], self.sizes["wanted"]))

    @property
    def manifest(self) -> dict[str, Any]:
        """All that is needed to have the same set again, for JSON."""
        return {
            "library": library_version(),
            "options": dict(self.options),
            "candidates": self.candidates,
            "sizes": self.sizes.to_pylist(),
            "example_ids": self.table["example_id"].to_pylist(),
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write :attr:`manifest` as JSON, whole or not at all."""
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(self.manifest, indent=1) + "\n", encoding="utf-8")

    def __repr__(self) -> str:
        short = len(self.shortfall)
        return (
            f"Matched({len(self.table):,} of {self.candidates:,} candidates, "
            f"{len(self.sizes)} sub-classes, {short} short)"
        )

    def __str__(self) -> str:
        wanted = pc.sum(self.sizes["wanted"]).as_py()
        lines = [
            f"{len(self.table):,} examples of {len(self.sizes)} sub-classes were drawn from "
            f"{self.candidates:,} candidates; {wanted:,} were wanted."
        ]
        rows = self.shortfall.to_pylist()
        lines += [
            f"{row['subclass']}: {row['wanted']} wanted, {row['available']} available"
            for row in rows[:20]
        ]
        if len(rows) > 20:
            lines.append(f"… and {len(rows) - 20} more in .shortfall")
        return "\n".join(lines)


def rematch(pool: Any, manifest: Mapping[str, Any] | str | os.PathLike[str]) -> Matched:
    """The set of a manifest, from the same pool or a later one that still has its examples.

    Args:
        pool: as for :func:`curate.retest.match`.
        manifest: what :attr:`Matched.manifest` gave, or the path of the file.

    Raises:
        CurateError: no manifest, or an example of it that the pool lacks.
    """
    if isinstance(manifest, str | os.PathLike):
        path = Path(manifest)
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CurateError(f"manifest: {str(path)!r} cannot be read ({error})") from error
    if not isinstance(manifest, Mapping):
        raise CurateError("manifest: it is no mapping; give what Matched.save wrote")
    lacks = {"options", "candidates", "sizes", "example_ids"} - set(manifest)
    if lacks:
        raise CurateError(f"manifest: it has no {sorted(lacks)[0]!r}; give what Matched.save wrote")
    table = as_table(pool, "pool")
    rows = {example_id: row for row, example_id in enumerate(table["example_id"].to_pylist())}
    gone = [one for one in manifest["example_ids"] if one not in rows]
    if gone:
        raise CurateError(
            f"pool: it lacks {len(gone)} examples of the manifest, such as {gone[0]!r}; give the "
            "pool that it was drawn from"
        )
    chosen = table.take(pa.array([rows[one] for one in manifest["example_ids"]], pa.int64()))
    sizes = pa.Table.from_pylist(manifest["sizes"])
    return Matched(chosen, sizes, manifest["options"], manifest["candidates"])
