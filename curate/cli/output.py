"""What the long commands share: the progress bar, the folder of results, the summary."""

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from curate.errors import CurateError

_BETWEEN_LINES = 30.0  # seconds


def progress_bar(quiet: bool) -> Any:
    """A rich bar with an estimate on standard error; lines now and then where that is a file."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as Left

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), "left:", Left())
    console = Console(stderr=True)
    if not quiet and not console.is_terminal:
        return _Lines()
    return Progress(*columns, console=console, disable=quiet, transient=True)


class _Lines:
    """Stands for a bar where nobody sees it move, such as a log: a line every half minute."""

    def __init__(self) -> None:
        self._tasks: list[tuple[str, float, float | None]] = []  # when, and where, each began
        self._said = time.monotonic()

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def add_task(self, description: str, total: int | None) -> int:
        self._tasks.append((description, time.monotonic(), None))
        return len(self._tasks) - 1

    def update(
        self, task: int, *, completed: float, total: float | None, description: str | None = None
    ) -> None:
        now = time.monotonic()
        name, began, first = self._tasks[task]
        if first is None:  # what a run goes on from took no time now
            first = completed
            self._tasks[task] = name, now, first
        if now - self._said < _BETWEEN_LINES or not total:
            return
        self._said = now
        said = f"{description or name}: {completed:,.0f} of {total:,.0f} ({completed / total:.0%})"
        if first < completed < total:
            left = (now - began) / (completed - first) * (total - completed)
            said += f", about {_duration(left)} left"
        print(f"curate: {said}", file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{max(1, minutes)} min"


def progress_callback(bar: Any, description: str) -> Callable[[int, int], None]:
    """A new task of the bar: call the result with the steps done and the steps in all."""
    task = bar.add_task(description, total=None)

    def on_progress(done: int, total: int) -> None:
        bar.update(task, completed=done, total=total)

    return on_progress


def folder_name(dataset: str) -> str:
    """A folder name for a data set: what is not a letter, digit, dot or dash becomes a dash."""
    stem = Path(dataset.removeprefix("hf:")).name or Path(dataset).resolve().name
    return re.sub(r"[^\w.-]+", "-", stem).strip(".-") or "run"


def check_out(out: str | None) -> None:
    """Refuse, before the work, a folder of results that cannot be made.

    Raises:
        CurateError: a file lies where the folder or one that it is in should be.
    """
    if out is None:
        return
    if not out or "\0" in out:
        raise CurateError(f"--out: {out!r} is no name; give a folder")
    for place in (Path(out), *Path(out).parents):
        if place.is_dir():
            return
        if place.exists():
            raise CurateError(f"--out: {str(place)!r} is a file; give a folder")


def write_json(content: dict[str, Any], path: Path) -> None:
    """Write JSON that is easy to read, whole or not at all."""
    from curate.files import atomic_path

    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")
