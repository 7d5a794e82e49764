"""``curate audit``: is the test set clean?"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from curate.cli.options import Data, Format, Json, Seed, check_range, completed, one_of, opened
from curate.cli.output import check_out, folder_name, progress_bar, progress_callback, write_json
from curate.errors import CurateError
from curate.features import FEATURES


def audit(
    train: Annotated[
        str, typer.Argument(help="The training set: digits, mnist, cifar10, PATH or hf:NAME.")
    ],
    test: Annotated[
        str,
        typer.Argument(help="The test set; the same name or path as TRAIN for its test split."),
    ],
    features: Annotated[
        str,
        typer.Option(
            help=f"{one_of(FEATURES)}; or the folder of a curate run, for its network.",
            autocompletion=completed(FEATURES),
        ),
    ] = "local_dct",
    threshold: Annotated[
        float, typer.Option(help="Probability from which on a pair counts as a copy.")
    ] = 0.9,
    fix: Annotated[
        str | None,
        typer.Option(help="Also write both sets without copies, to FOLDER/train and FOLDER/test."),
    ] = None,
    keep: Annotated[
        str, typer.Option(help="Which of a copy in both sets stays with --fix: 'test' or 'train'.")
    ] = "test",
    format: Format = "huggingface",
    data: Data = None,
    seed: Seed = 0,
    out: Annotated[str | None, typer.Option(help="Folder of results; runs/audit.")] = None,
    as_json: Json = False,
) -> None:
    """Find leaks, copies and likely label errors; exit code 3 if there are problems."""
    from curate.data import open_view
    from curate.exporting import export
    from curate.exporting._export import check_export
    from curate.report import save_audit
    from curate.retest import audit_split

    check_range("--seed", seed, 0, 10**9)
    if keep not in ("test", "train"):
        raise CurateError(f"--keep: {keep!r}; give 'test' or 'train'")
    check_out(out)
    folder = Path(out) if out is not None else Path("runs") / "audit"
    sets = _opened(train, test, data)
    parts = [] if fix is None else [Path(fix) / name for name in ("train", "test")]
    for dataset, place in zip(sets, parts, strict=False):
        check_export(dataset, place, format)
    with progress_bar(as_json) as bar:
        found = audit_split(
            *sets,
            features=_features(features),
            threshold=threshold,
            seed=seed,
            on_progress=progress_callback(bar, "searching"),
        )
    facts = {"training set": train, "test set": test, "features": features}
    views = open_view(sets[0]), open_view(sets[1])
    title = " · ".join(dict.fromkeys((folder_name(train), folder_name(test))))
    page = save_audit(folder, found, views, title=title, facts=facts)
    summary: dict[str, Any] = {**found.to_dict(), "train": train, "test": test}
    if fix is not None:
        selections = found.repaired(keep)  # type: ignore[arg-type]
        for dataset, selection, place in zip(sets, selections, parts, strict=True):
            export(dataset, selection, place, format)
        kept = [len(selection) for selection in selections]
        summary["fixed"] = {"folder": fix, "train": kept[0], "test": kept[1], "keep": keep}
    write_json(summary, folder / "summary.json")
    if as_json:
        print(json.dumps({**summary, "folder": str(folder), "report": str(page)}))
    else:
        print(found, *([] if fix is None else [f"Without copies: {fix}"]), page, sep="\n\n")
    if not found.passed:
        raise typer.Exit(3)


def _opened(train: str, test: str, root: str | None) -> tuple[Any, Any]:
    """One set by its two splits, or two sets."""
    if train == test:
        from curate.data import load

        return load(train, "train", root), load(test, "test", root)
    return opened(train, "train", root), opened(test, "test", root)


def _features(name: str) -> Any:
    """A name, or the middle layer of the first network that a run has kept."""
    if name in FEATURES:
        return name
    from curate.train import load_model, middle_features

    models = sorted(Path(name).glob("models/arm=*/seed=*.pt"))
    if not models:
        raise CurateError(
            f"--features: {name!r} is neither {one_of(FEATURES)} nor the folder of a run that "
            "kept its networks"
        )
    arm, seed = models[0].parent.name.removeprefix("arm="), models[0].stem.removeprefix("seed=")
    return middle_features(load_model(name, arm, int(seed)))
