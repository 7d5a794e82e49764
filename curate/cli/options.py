"""Options that several commands share, and how their texts are read."""

from typing import Annotated

import typer

from curate.errors import CurateError

Keep = Annotated[
    str, typer.Option(help="Fraction to keep, such as 0.7, or a count, such as 35000.")
]
By = Annotated[
    str,
    typer.Option(
        help="Score: forgetting, first_learned, aum, el2n, confidence, variability, loss, margin "
        "or random; high = hard."
    ),
]
Strategy = Annotated[str, typer.Option(help="hardest, easiest, random, window, moderate or ccs.")]
Stratify = Annotated[str | None, typer.Option(help="'label': keep the same share of each class.")]
NeverLearned = Annotated[
    str, typer.Option(help="'keep' or 'drop' the examples that no run ever learned.")
]
Seed = Annotated[int, typer.Option(help="Breaks ties and draws at random.")]
Data = Annotated[
    str | None,
    typer.Option(help="Folder with local copies of mnist and cifar10; else CURATE_DATA."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]


def keep_of(text: str) -> int | float:
    """A count where the text is a whole number, else a fraction.

    Raises:
        CurateError: not a number.
    """
    try:
        return int(text) if text.lstrip("+-").isdecimal() else float(text)
    except ValueError:
        raise CurateError(f"--keep: {text!r} is not a number; give 0.7 or 35000") from None
