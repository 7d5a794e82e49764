"""A file of options, which ``curate run`` writes and reads."""

import json
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer

from curate.cli.output import write_json
from curate.errors import CurateError

_NOT_KEPT = ("config", "out", "as_json")


def _read(ctx: typer.Context, path: str | None) -> str | None:
    """Make the options of the file the defaults of the command."""
    if path is None:
        return None
    try:
        options = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CurateError(f"--config: {path!r} cannot be read as JSON ({error})") from error
    if not isinstance(options, dict):
        raise CurateError(f"--config: {path!r} holds no options; give an object, as in {{...}}")
    known = [str(one.name) for one in ctx.command.params if one.name not in _NOT_KEPT]
    for name, value in options.items():
        if name not in known:
            near = get_close_matches(name, known, n=1) or [f"one of {', '.join(known)}"]
            raise CurateError(f"--config: {name!r} in {path!r} is no option; give {near[0]}")
        if isinstance(value, dict | list | None | bool):
            raise CurateError(
                f"--config: {name!r} in {path!r} is {json.dumps(value)}; give a text or a number, "
                "or leave it out"
            )
    ctx.default_map = {**(ctx.default_map or {}), **options}
    return path


Config = Annotated[
    str | None,
    typer.Option(
        is_eager=True,
        callback=_read,
        help="A JSON file of options, such as the config.json of an earlier run; what the command "
        "line says wins.",
    ),
]


def write_config(ctx: typer.Context, folder: Path) -> None:
    """Write the options of this run, those of its file too, to ``config.json`` in the folder."""
    given: dict[str, Any] = {
        name: value
        for name, value in ctx.params.items()
        if name not in _NOT_KEPT and value is not None
    }
    write_json(given, folder / "config.json")
