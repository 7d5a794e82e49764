"""What the long commands share: the progress bar, the folder of results, the summary."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from curate.errors import CurateError


def progress_bar(quiet: bool) -> Any:
    """A rich bar with an estimate on standard error; hidden when quiet or not a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as Left

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), "left:", Left())
    console = Console(stderr=True)
    hidden = quiet or not console.is_terminal
    return Progress(*columns, console=console, disable=hidden, transient=True)


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
