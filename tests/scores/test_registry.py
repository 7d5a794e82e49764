"""The tables of the docs are those of the registries."""

from pathlib import Path

from curate.pruning import STRATEGIES
from curate.scores import SCORES

DOCS = Path(__file__).parents[2] / "docs"


def rows(page, header):
    """The cells of the table under a header, row by row."""
    lines = iter((DOCS / page).read_text().splitlines())
    assert header in lines, f"{page} has no table {header}"
    next(lines)  # the rule
    for line in lines:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def test_scores():
    expected = [[f"`{name}`", entry.help, entry.paper] for name, entry in SCORES.items()]
    assert list(rows("scores.md", "| name | score | from |")) == expected


def test_strategies():
    expected = []
    for name, entry in STRATEGIES.items():
        options = ", ".join(f"{key}={option.default}" for key, option in entry.options.items())
        shown = f"`{options}`" if options else ""
        expected.append([f"`{name}`", entry.help, shown, entry.paper])
    assert list(rows("pruning.md", "| name | keeps | options | from |")) == expected
