"""The result of a nuisance audit."""

from dataclasses import dataclass

import pyarrow as pa

from curate.bias.audit.shortcut import Shortcut


@dataclass(frozen=True, repr=False)
class Equalised:
    """Accuracy of a linear classifier on HOG before and after the files were made alike.

    Attributes:
        before: on the common decode that the game uses.
        before_interval: exact, 95 %.
        after: on images trimmed, cut square, made small and saved as one JPEG, in grey if the
            sources differ in that.
        after_interval: exact, 95 %.
        chance: one over the number of sources.
    """

    before: float
    before_interval: tuple[float, float]
    after: float
    after_interval: tuple[float, float]
    chance: float

    def __repr__(self) -> str:
        return (
            f"Equalised(accuracy {self.before:.1%} before, {self.after:.1%} after, chance "
            f"{self.chance:.1%})"
        )

    def __str__(self) -> str:
        low, high = self.after_interval
        return (
            f"Accuracy {self.before:.1%} before and {self.after:.1%} ({low:.1%} to {high:.1%}) "
            f"after all files were made alike; chance {self.chance:.1%}."
        )


@dataclass(frozen=True, eq=False, repr=False)
class Audit:
    """How much of telling sources apart is in their files rather than in their scenes.

    Attributes:
        table: one row per cause, and a last one for all together: ``cause``, ``accuracy`` of
            telling all sources apart by it alone (balanced), ``chance``, exact 95 %
            interval ``low`` and ``high``, ``p_value`` (exact, binomial), ``explained``: the share
            of what HOG gains over chance that this gains, at most 1.
        pairs: one row per pair of sources and cause: ``cause``, ``first``, ``second``, ``accuracy``
            (chance 0.5), ``p_value``, ``named``: whether it is a shortcut.
        equalised: what is left when the files are made alike.
        warnings: the shortcuts.
        examined: images that were looked at, at most, of each source.
        headers: whether all were files, whose headers tell format, quality and subsampling; if
            not, these are not known, and the table has no rows for them.
        properties: histograms of how the images look (lightness, contrast, colour, detail, size,
            JPEG quality), one row per ``property``, ``source`` and bin: ``low``, ``high``,
            ``share`` of the source's images.
    """

    table: pa.Table
    pairs: pa.Table
    equalised: Equalised
    warnings: tuple[Shortcut, ...]
    examined: int
    headers: bool
    properties: pa.Table | None = None

    def __repr__(self) -> str:
        return (
            f"Audit({self.examined:,} images per source, {len(self.table)} causes, "
            f"shortcuts: {len(self.warnings)})"
        )

    @property
    def summary(self) -> str:
        """What each cause tells and what is left without them all, not the warnings."""
        lines = [
            f"Nuisance audit of at most {self.examined:,} images per source",
            f"{'cause':<20} {'accuracy':>9}   {'95 % interval':<18} {'explains':>8}",
        ]
        for row in self.table.to_pylist():
            lines.append(
                f"{row['cause']:<20} {row['accuracy']:>9.1%}   {row['low']:>6.1%} to "
                f"{row['high']:>6.1%}   {row['explained']:>8.0%}"
            )
        if not self.headers:
            lines.append("Some images are bare pixels: what their files said is not known.")
        return "\n".join([*lines, str(self.equalised)])

    def __str__(self) -> str:
        return "\n".join(
            [self.summary, *(f"Warning: {shortcut.text}" for shortcut in self.warnings)]
        )
