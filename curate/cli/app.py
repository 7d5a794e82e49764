"""The command line: ``curate run | merge | prune | export | identify | audit | retest | …``."""

import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NamedTuple, TextIO

import typer
from typer.core import TyperGroup

from curate.cli.audit import audit
from curate.cli.export import export
from curate.cli.fragility import fragility
from curate.cli.identify import identify
from curate.cli.inspect import inspect
from curate.cli.merge import merge
from curate.cli.prune import prune
from curate.cli.report import report
from curate.cli.retest import retest
from curate.cli.run import run
from curate.cli.suspects import suspects
from curate.errors import CurateError, CurateWarning
from curate.table import library_version

_INTERRUPTED = 130
_NAMES = 15  # letters that the names of the commands take of a line


class _About(NamedTuple):
    """Under which heading a command is listed, and a call of it."""

    group: str
    example: str

    @property
    def epilog(self) -> str:
        """The end of the command's help; the first line keeps the others as they are."""
        return f"\b\nExample:\n  {self.example}"


ABOUT = {
    "run": _About("Training sets", "curate run --dataset cifar10 --keep auto --margin 0.01"),
    "merge": _About("Training sets", "curate merge a.parquet b.parquet --out merged.parquet"),
    "prune": _About(
        "Training sets",
        "curate prune merged.parquet --keep 0.7 --stratify label --out selection.parquet",
    ),
    "export": _About("Training sets", "curate export digits selection.parquet --out pruned"),
    "suspects": _About("Training sets", "curate suspects digits --precision 0.9"),
    "identify": _About("Data set bias", "curate identify photos/ crawl.parquet cifar10"),
    "audit": _About("Test sets", "curate audit train/ test/ --fix clean"),
    "retest": _About("Test sets", "curate retest original.parquet new.parquet"),
    "fragility": _About("Explanations", "curate fragility run:runs/digits digits --images 16"),
    "inspect": _About("Looking", "curate inspect merged.parquet"),
    "report": _About("Looking", "curate report runs/digits"),
}
"""By the name of the command, in the order of the help."""


class _Grouped(TyperGroup):
    """Lists its commands by group."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The groups, in the order of :data:`ABOUT`."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            assert command is not None
            line = (name, command.get_short_help_str(formatter.width - _NAMES))
            groups.setdefault(ABOUT[name].group, []).append(line)
        for group, lines in groups.items():
            with formatter.section(group):
                formatter.write_dl(lines)


app = typer.Typer(
    help="Which examples does my training set need? Record, prune, export, compare.",
    cls=_Grouped,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"curate-data {library_version()}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version)
    ] = False,
) -> None:
    """Options of the command itself."""


for command in (
    run,
    merge,
    prune,
    export,
    suspects,
    identify,
    audit,
    retest,
    fragility,
    inspect,
    report,
):
    app.command(epilog=ABOUT[command.__name__].epilog)(command)


def main(arguments: list[str] | None = None) -> None:
    """Run a command; wrong input ends in one sentence on standard error and exit code 2.

    An interrupt or SIGTERM (of Slurm, Kubernetes, Docker) ends in one sentence too, after
    everything temporary has been removed.
    """
    warnings.showwarning = _show_warning
    try:
        with _stopped_by_sigterm():
            code = typer.main.get_command(app).main(
                arguments, prog_name="curate", standalone_mode=False
            )
        if code == _INTERRUPTED:  # typer has caught it
            print_error("interrupted; what was finished is kept", _INTERRUPTED)
    except CurateError as error:
        code = print_error(str(error), 2)
    except OSError as error:
        code = print_error(str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        code = print_error("interrupted; what was finished is kept", _INTERRUPTED)
    except _Stopped:
        code = print_error("stopped by SIGTERM; what was finished is kept", 128 + signal.SIGTERM)
    except Exception as error:
        if not hasattr(error, "format_message"):  # only typer's own errors have one
            raise
        code = print_error(error.format_message(), 2)
    sys.exit(code)


class _Stopped(BaseException):
    """SIGTERM arrived; no ``except Exception`` on the way may take it for an error of its own."""


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    started_by = os.getpid()

    def stop(number: int, frame: object) -> None:
        if os.getpid() == started_by:
            raise _Stopped
        signal.signal(number, signal.SIG_DFL)  # a forked worker just ends
        os.kill(os.getpid(), number)

    if threading.current_thread() is not threading.main_thread():  # only that one may
        yield
        return
    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """A warning of ours as one sentence; any other as Python shows it."""
    if issubclass(category, CurateWarning):
        print(f"curate: {message}", file=sys.stderr)
    else:
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))


def print_error(message: str, code: int) -> int:
    """Print one sentence to standard error; returns the exit code."""
    sentence = " ".join(message.split())
    print(f"curate: {sentence}", file=sys.stderr)
    return code
