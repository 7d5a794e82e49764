"""A progress bar with the time left, for people who watch."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def progress(
    items: Iterable[Item], total: int, rows: Callable[[Item], int] = lambda _: 1
) -> Iterator[Item]:
    """The same items; on a terminal, a bar on standard error shows how far along they are.

    Args:
        items: what is being written.
        total: of examples.
        rows: how many examples an item stands for.
    """
    from rich import progress as bars
    from rich.console import Console

    console = Console(stderr=True)
    with bars.Progress(
        bars.TextColumn("exporting"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("exporting", total=total)
        for item in items:
            yield item
            bar.advance(task, rows(item))
