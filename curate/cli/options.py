"""Options that several commands share, and how their texts are read."""

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from curate.errors import CurateError
from curate.exporting import FORMATS
from curate.pruning import STRATEGIES
from curate.scores import SCORES


def one_of(names: Any) -> str:
    """The names as a list in a sentence."""
    *others, last = names
    return f"{', '.join(others)} or {last}"


def completed(names: Iterable[str]) -> Callable[[], list[str]]:
    """What a shell offers for an option that takes one of the names."""
    return lambda: list(names)


Keep = Annotated[
    str, typer.Option(help="Fraction to keep, such as 0.7, or a count, such as 35000.")
]
By = Annotated[
    str,
    typer.Option(
        help=f"Score: {one_of(SCORES)}; or a column of numbers. High = hard = keep.",
        autocompletion=completed(SCORES),
    ),
]
Strategy = Annotated[
    str,
    typer.Option(
        help="; ".join(f"{name} ({entry.help})" for name, entry in STRATEGIES.items()),
        autocompletion=completed(STRATEGIES),
    ),
]
Stratify = Annotated[
    str,
    typer.Option(
        help="'label': keep the same share of each class; 'none': do not.",
        autocompletion=completed(["label", "none"]),
    ),
]
NeverLearned = Annotated[
    str,
    typer.Option(
        help="'keep' or 'drop' the examples that no run ever learned.",
        autocompletion=completed(["keep", "drop"]),
    ),
]
Unknown = Annotated[
    str,
    typer.Option(
        help="'error', 'keep' or 'drop' for examples without a score.",
        autocompletion=completed(["error", "keep", "drop"]),
    ),
]
Ties = Annotated[
    str,
    typer.Option(
        help="How equal scores are told apart: 'hash' draws, 'margin' takes the lower mean margin "
        "for the harder.",
        autocompletion=completed(["hash", "margin"]),
    ),
]
MinPerClass = Annotated[
    int | None, typer.Option(help="Keep at least so many examples of each class.")
]
DropDuplicates = Annotated[
    bool,
    typer.Option(help="Remove copies first: rows with a duplicate_of or nearest_test."),
]
Seed = Annotated[int, typer.Option(help="Breaks ties and draws at random.")]
Format = Annotated[
    str,
    typer.Option(
        help=f"Format of the exported set: {one_of(FORMATS)}.",
        autocompletion=completed(FORMATS),
    ),
]
Data = Annotated[
    str | None,
    typer.Option(help="Folder with local copies of mnist and cifar10; else CURATE_DATA."),
]
Errors = Annotated[
    str,
    typer.Option(
        help="'skip': leave broken images out and count them; 'raise': name the first.",
        autocompletion=completed(["skip", "raise"]),
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]


def with_strategy_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for every option of a strategy (``STRATEGIES``).

    The command takes them as ``**options``: only those that were given, by their names.
    """
    signature = inspect.signature(command, eval_str=True)
    parameters = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                type(option.default) | None, typer.Option(help=f"{strategy}: {option.help}.")
            ],
        )
        for strategy, entry in STRATEGIES.items()
        for name, option in entry.options.items()
    ]
    names = {parameter.name for parameter in added}

    @wraps(command)
    def parsed(**values: Any) -> None:
        given = {
            name: value for name, value in values.items() if value is not None or name not in names
        }
        command(**given)

    parsed.__signature__ = signature.replace(parameters=[*parameters, *added])  # type: ignore[attr-defined]
    parsed.__annotations__ = {one.name: one.annotation for one in [*parameters, *added]}
    return parsed


def keep_of(text: str) -> int | float:
    """A count where the text is a whole number, else a fraction.

    Raises:
        CurateError: not a number.
    """
    try:
        return int(text) if text.lstrip("+-").isdecimal() else float(text)
    except ValueError:
        raise CurateError(f"--keep: {text!r} is not a number; give 0.7 or 35000") from None


def stratified(text: str) -> str | None:
    """What ``stratify=`` of the library takes for the option."""
    return None if text == "none" else text


def opened(name: str, split: str, root: str | None) -> Any:
    """A split of a set that is known by its name; all of a folder or file, divided or not."""
    from curate.data import folder, load, parquet, webdataset
    from curate.data._load import KNOWN
    from curate.data.formats.parquet import holds_tables
    from curate.data.formats.webdataset import holds_shards

    path = Path(name)
    if name in KNOWN or name.startswith("hf:") or not path.exists():
        return load(name, split, root)
    if holds_shards(path):
        return webdataset(path)
    return parquet(path) if holds_tables(path) else folder(path)


def check_range(option: str, value: int, least: int, most: int) -> None:
    """Refuse a number outside of ``least`` to ``most``.

    Raises:
        CurateError: it is; the message names the option.
    """
    if not least <= value <= most:
        raise CurateError(f"{option}: {value}; give a whole number from {least:,} to {most:,}")
