"""``curate retest``: what do models lose on a new test set?"""

import json
from pathlib import Path
from typing import Annotated

import typer

from curate.cli.options import Json, Seed, check_range
from curate.cli.output import check_out, write_json
from curate.errors import CurateError


def retest(
    original: Annotated[
        str,
        typer.Argument(
            help="A Parquet file of predictions on the original test set: label, perhaps image or "
            "example_id, and a column of class indices for every model."
        ),
    ],
    new: Annotated[str, typer.Argument(help="The same on the new test set.")],
    rename: Annotated[
        list[str] | None,
        typer.Option(help="NEW=ORIGINAL: a model that has two names; may be given again."),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(help="'shared': classes of both sets only; 'all': every image; or 0,3,7."),
    ] = None,
    mix: Annotated[
        str | None,
        typer.Option(help="'original', 'new' or 'equal': weight both sets to one class mix."),
    ] = None,
    resamples: Annotated[int, typer.Option(help="Of the bootstrap.")] = 2000,
    seed: Seed = 0,
    out: Annotated[str | None, typer.Option(help="Folder of results; runs/retest.")] = None,
    as_json: Json = False,
) -> None:
    """Compare models on an original and a new test set: gaps, ranks, tests, lines, a report."""
    from curate.report import save_retest
    from curate.retest import accuracy_gap

    check_range("--resamples", resamples, 100, 1_000_000)
    check_range("--seed", seed, 0, 10**9)
    check_out(out)
    folder = Path(out) if out is not None else Path("runs") / "retest"
    found = accuracy_gap(
        original,
        new,
        rename=_names(rename or []),
        classes=_classes(classes),
        mix=mix,
        resamples=resamples,
        seed=seed,
    )
    facts = {"original": original, "new": new, "resamples": str(resamples), "seed": str(seed)}
    page = save_retest(
        folder, found, title=f"{Path(original).stem} · {Path(new).stem}", facts=facts
    )
    summary = {
        "models": len(found.models),
        "images": list(found.images),
        "mean_gap": dict(zip(("gap", "low", "high"), found.mean_gap, strict=True)),
        "kendall": _number(found.kendall),
        "spearman": _number(found.spearman),
        "reversals": len(found.reversals),
        "fits": found.fits.to_pylist(),
        "table": found.table.to_pylist(),
        "verdicts": list(found.verdicts),
        **facts,
    }
    write_json(summary, folder / "summary.json")
    if as_json:
        print(json.dumps({**summary, "folder": str(folder), "report": str(page)}))
    else:
        print(found, page, sep="\n\n")


def _names(pairs: list[str]) -> dict[str, str]:
    names = {}
    for pair in pairs:
        theirs, mark, ours = pair.partition("=")
        if not mark or not theirs or not ours:
            raise CurateError(f"--rename: {pair!r}; give NAME_IN_NEW=NAME_IN_ORIGINAL")
        names[theirs] = ours
    return names


def _classes(text: str | None) -> str | list[int] | None:
    if text is None or not text[:1].isdecimal():
        return text
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise CurateError(f"--classes: {text!r}; give class indices such as 0,3,7") from None


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return value if value == value else None
