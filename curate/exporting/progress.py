"""How far along an export is, for people who watch or who read a log."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

_BETWEEN_LINES = 30.0  # seconds


def progress(
    items: Iterable[Item], total: int, rows: Callable[[Item], int] = lambda _: 1
) -> Iterator[Item]:
    """The same items; standard error shows a bar, or where it is a file, now and then a line.

    Args:
        items: what is being written.
        total: of examples.
        rows: how many examples an item stands for.
    """
    from rich import progress as bars
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield from _with_lines(items, total, rows)
        return
    with bars.Progress(
        bars.TextColumn("exporting"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task("exporting", total=total)
        for item in items:
            yield item
            bar.advance(task, rows(item))


def _with_lines(items: Iterable[Item], total: int, rows: Callable[[Item], int]) -> Iterator[Item]:
    done, said = 0, time.monotonic()
    for item in items:
        yield item
        done += rows(item)
        if time.monotonic() - said >= _BETWEEN_LINES:
            said = time.monotonic()
            share = done / max(1, total)
            print(
                f"curate: exporting: {done:,} of {total:,} ({share:.0%})",
                file=sys.stderr,
                flush=True,
            )
