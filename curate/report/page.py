"""An HTML page with its style, script and pictures inside."""

import base64
import hashlib
import os
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from curate.files import atomic_path
from curate.report.charts import svg
from curate.report.text import count, percent

_WIDE, _NARROW = 700, 320  # the widths at which each chart is drawn, in pixels


def write_page(
    path: str | os.PathLike[str], template: str, *, script: str | None = "page.js", **values: Any
) -> Path:
    """Fill a template of ``templates/`` and write it as one HTML file, whole or not at all.

    The content security policy admits the page's own style and script by their hashes, and
    nothing from anywhere else. Values are escaped unless the template says otherwise.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_resource),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(count=count, percent=percent)
    style = svg.stylesheet() + _resource("report.css")
    code = None if script is None else _resource(script)
    page = environment.get_template(template).render(
        style=style,
        style_hash=_hash(style),
        script=code,
        script_hash=None if code is None else _hash(code),
        **values,
    )
    with atomic_path(path) as temporary:
        temporary.write_bytes(page.encode("utf-8"))  # not write_text: the hashes fix the line ends
    return Path(path)


def wide_and_narrow(draw: Callable[[int], str]) -> dict[str, str]:
    """The chart drawn for a screen and for a phone: scaled down, its text would be too small."""
    return {"wide": draw(_WIDE), "narrow": draw(_NARROW)}


def _resource(name: str) -> str:
    return (files("curate.report") / "templates" / name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    """The name of a style or script in a content security policy."""
    digest = hashlib.sha256(content.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
