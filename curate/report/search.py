"""What a search for the smallest set shows, as tables of the report."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from curate.errors import CurateError
from curate.report.text import clean, count

_MOST_CLASSES = 100


@dataclass(frozen=True)
class Figures:
    """A table of short texts; the first cell of a row is its heading."""

    title: str
    note: str
    heads: list[str]
    rows: list[list[str]]


def claims_table(claims: pa.Table) -> Figures:
    """Every claim, what was measured and whether it may be made.

    Args:
        claims: as :attr:`curate.experiment.SmallestSet.claims`.

    Raises:
        CurateError: a column is missing.
    """
    _need(claims, "claims", ("claim", "size", "loss", "bound", "level", "shown", "claimed"))
    return Figures(
        "What is claimed.",
        "Points of accuracy lost, and the most that is lost for new test examples and new seeds, "
        "one-sided at the level. In 'better than random' it is what is lost by choosing instead "
        "of drawing, so less than zero is a gain. A size is claimed to be as good only where all "
        "larger ones are shown too.",
        ["Claim", "Size", "Loss", "At most", "Level", "Shown", "Claimed"],
        [
            [
                clean(row["claim"]),
                count(row["size"]),
                points(row["loss"]),
                points(row["bound"]),
                f"{100 * row['level']:.3g}%",
                "yes" if row["shown"] else "no",
                "yes" if row["claimed"] else "no",
            ]
            for row in claims.to_pylist()
        ],
    )


def losses_table(losses: pa.Table) -> Figures:
    """What each class loses, the worst first; at most 100 classes.

    Args:
        losses: as :attr:`curate.experiment.SmallestSet.classes`.

    Raises:
        CurateError: a column is missing.
    """
    _need(losses, "losses", ("label", "name", "examples", "loss", "low", "high"))
    rows = sorted(losses.to_pylist(), key=lambda row: -row["loss"])
    examples = sum(row["examples"] for row in rows)
    mean = sum(row["loss"] * row["examples"] for row in rows) / max(1, examples)
    shown = f" The worst {_MOST_CLASSES} of {count(len(rows))}." if len(rows) > 100 else ""
    return Figures(
        "What each class loses",
        "against all examples, in points, the worst first; the intervals hold for all classes "
        "together (95%). They describe: nothing is claimed of a class." + shown,
        ["Class", "Tested", "Loss", "At least", "At most"],
        [
            ["Mean", count(examples), points(mean), "", ""],
            *(_loss_row(row) for row in rows[:_MOST_CLASSES]),
        ],
    )


def points(value: float) -> str:
    """0.0123 as '+1.23': points of accuracy."""
    return f"{round(100 * value, 2) + 0.0:+.2f}".replace("-", "\u2212")


def _loss_row(row: dict[str, Any]) -> list[str]:
    name = row["label"] if row["name"] is None else row["name"]
    ends = [points(row[end]) for end in ("low", "high")]
    return [clean(name), count(row["examples"]), points(row["loss"]), *ends]


def _need(table: pa.Table, parameter: str, names: tuple[str, ...]) -> None:
    for name in names:
        if name not in table.column_names:
            raise CurateError(
                f"{parameter}: it has the columns {table.column_names} but no {name!r}; give "
                "those of a SmallestSet"
            )
