"""The report on explanations under attack: a folder of tables and an HTML page of maps to see."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.report.page import write_page
from curate.report.text import clean
from curate.report.thumbnail import thumbnail
from curate.table import open_writer, write

if TYPE_CHECKING:
    from curate.saliency import Fragility

_SHOWN = 24


def save_fragility(
    folder: str | os.PathLike[str],
    found: "Fragility",
    *,
    title: str,
    facts: Mapping[str, object] | None = None,
) -> Path:
    """Write all that an audit of explanations found, each file whole or not at all.

    ``table`` (columns for the example table), ``details`` and ``summary``, all .parquet; and
    report.html: image, map, perturbed image, its map and the difference side by side.

    Args:
        folder: made if need be; files of these names in it are replaced.
        found: what :func:`curate.saliency.fragility` gave.
        title: the report's heading.
        facts: short texts on the audit by name.

    Returns:
        The path of the report.

    Raises:
        OSError: a file cannot be written.
    """
    place = Path(folder)
    write(found.table, place / "table.parquet")
    for name in ("details", "summary"):
        table = getattr(found, name)
        with open_writer(place / f"{name}.parquet", table.schema) as writer:
            writer.write_table(table)
    return write_page(
        place / "report.html",
        "fragility.html.jinja",
        title=clean(title, 160),
        verdict=_verdict(found),
        facts=[(clean(name, 60), clean(value, 300)) for name, value in (facts or {}).items()],
        measures=_measures(found),
        images=_images(found),
    )


def _verdict(found: "Fragility") -> str:
    means = {row["measure"]: row["mean"] for row in found.summary.to_pylist()}
    kept = int(found.attacked.found.sum())
    if means["topk"] is None:
        return f"Of none of {len(found.rows)} images did a perturbation that was tried keep it."
    return (
        f"The prediction of {kept} of {len(found.rows)} images stays, and of the top {found.k} "
        f"pixels of their maps {means['topk']:.1%} do (random signs: "
        f"{_number(means['random_topk'])}); Spearman’s ρ is {means['spearman']:.2f}. With random "
        f"weights it is {_number(means['randomised_spearman'])}: the nearer that is to 1, the less "
        "the map shows of the model."
    )


def _measures(found: "Fragility") -> dict[str, Any]:
    return {
        "title": "Means over images.",
        "note": "With 95 % intervals (bootstrap over images).",
        "heads": ["Measure", "Mean", "Interval", "Images"],
        "rows": [
            [
                clean(row["measure"].replace("_", " "), 48),
                _number(row["mean"]),
                f"{_number(row['low'])} to {_number(row['high'])}",
                str(row["images"]),
            ]
            for row in found.summary.to_pylist()
        ],
    }


def _images(found: "Fragility") -> list[dict[str, Any]]:
    ids = found.table["example_id"].to_pylist()
    details = found.details.to_pylist()
    shown = []
    for place, row in enumerate(found.rows.tolist()[:_SHOWN]):
        before, after = (
            _scores(maps[place].abs().sum(0).cpu().numpy())
            for maps in (found.maps, found.attacked.maps)
        )
        pictures = [
            _pixels(found.images[place].cpu().numpy()),
            before,
            _pixels(found.attacked.images[place].cpu().numpy()),
            after,
            np.abs(after.astype(int) - before).astype(np.uint8),
        ]
        text = (
            f"ρ {_number(details[row]['spearman'])}, top kept {_number(details[row]['topk'])}, "
            f"ρ with random weights {_number(details[row]['randomised_spearman'])}, deletion "
            f"{_number(details[row]['deletion'])}"
        )
        shown.append(
            {
                "id": clean(ids[row], 60),
                "text": text,
                "pictures": [thumbnail(picture, ids[row]) for picture in pictures],
            }
        )
    return shown


def _pixels(image: np.ndarray) -> np.ndarray:
    low, high = min(0.0, float(image.min())), max(1.0, float(image.max()))
    pixels = ((image - low) / (high - low) * 255).round().astype(np.uint8)
    return pixels[0] if len(pixels) != 3 else pixels.transpose(1, 2, 0)


def _scores(scores: np.ndarray) -> np.ndarray:
    most = float(np.quantile(scores, 0.99)) or 1.0
    return (np.clip(scores / most, 0, 1) * 255).round().astype(np.uint8)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
