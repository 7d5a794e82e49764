"""Nuisances of every family, fifty-one, on halves of sources: named, or silent, or wrong?

    python benchmarks/bias.py nuisances [--quick]
    python benchmarks/bias_nuisance_draws.py [--draws 10]

A source is split at random into halves of 300; one half is changed, both are saved alike. A draw is
right if the cause or an honest parent of it (in bias_nuisances.py) is among the warnings, and has a
wrong certain cause if a warning that is certain is none of these. The second command measures draw
by draw, appends each to ``benchmarks/results/bias-nuisances.csv``, and goes on where it was; the
first one prints what is there (``--quick``: measures one draw of one source afresh).
"""

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from bias_nuisances import NUISANCES, Make, jpeg, saved
from measure import DATA, Row
from PIL import Image

from curate.bias import Source, as_sources, nuisance_audit

HALF = 300
SOURCES = ("caltech101", "flower_photos", "scene15")
GREY = {"scene15"}
UNSEEN_ON_GREY = {"saturation ×0.6", "saturation ×1.5", "channels swapped", "hue by 11°"}
RESULTS = Path(__file__).parent / "results" / "bias-nuisances.csv"
NULLS = ("halves alike, PNG", "halves alike, JPEG")


def halves(pictures: list[Image.Image], one: Make, other: Make, seed: int) -> list[Source]:
    order = np.random.default_rng(seed).permutation(len(pictures))[: 2 * HALF]
    return [
        Source(name, np.arange(len(rows)), encoded=[make(pictures[row]) for row in rows])
        for name, make, rows in zip("ab", (one, other), np.array_split(order, 2), strict=True)
    ]


def judged(pictures: list[Image.Image], what: str, seed: int) -> tuple[bool, list[str], str]:
    """Whether the cause was named, the wrong certain causes, and all that was said."""
    causes, one, other = NUISANCES[what]
    warnings = nuisance_audit(halves(pictures, one, other, seed), seed=seed).warnings
    said = {warning.cause: warning.certain for warning in warnings}
    wrong = [cause for cause, certain in said.items() if certain and cause not in causes]
    shown = ", ".join(f"{w.cause}{'' if w.certain else '?'} {w.accuracy:.2f}" for w in warnings)
    return bool(causes & set(said)), wrong, shown


def wanted(draws: int) -> list[tuple[str, str, int]]:
    """What, source and draw: all nulls, then all nuisances draw by draw, on one source each, then
    on the next: stopped early, none lacks."""
    nulls = [(what, source, draw) for draw in range(draws) for what in NULLS for source in SOURCES]
    nuisances = [
        (what, SOURCES[(place + turn) % len(SOURCES)], draw)
        for draw in range(draws)
        for turn in range(len(SOURCES))
        for place, what in enumerate(NUISANCES)
    ]
    seen = [key for key in nuisances if not (key[1] in GREY and key[0] in UNSEEN_ON_GREY)]
    return nulls + seen  # those left out change no pixel


def measured(draws: int) -> Iterator[dict[str, str]]:
    """What every draw said, read from RESULTS or measured and added to it."""
    done = {}
    if RESULTS.exists():
        with RESULTS.open(newline="", encoding="utf-8") as file:
            done = {
                (row["what"], row["source"], int(row["draw"])): row for row in csv.DictReader(file)
            }
    held: dict[str, list[Image.Image]] = {}
    for key in wanted(draws):
        what, source, draw = key
        if key not in done:
            if source not in held:
                held[source] = opened(source)
            done[key] = one_draw(held[source], what, draw) | {"source": source}
            _add(done[key])
        yield done[key]


def one_draw(pictures: list[Image.Image], what: str, draw: int) -> dict[str, str]:
    """A row of RESULTS without its source."""
    if what in NULLS:
        make = saved if what.endswith("PNG") else jpeg
        warnings = nuisance_audit(halves(pictures, make, make, 1000 + draw), seed=draw).warnings
        said = ", ".join(warning.cause for warning in warnings)
        return {"what": what, "draw": str(draw), "named": "", "wrong": said, "said": said}
    named, wrong, said = judged(pictures, what, draw)
    return {
        "what": what,
        "draw": str(draw),
        "named": "yes" if named else "no",
        "wrong": ", ".join(wrong),
        "said": said,
    }


def _add(row: dict[str, str]) -> None:
    new = not RESULTS.exists()
    with RESULTS.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["what", "source", "draw", "named", "wrong", "said"])
        if new:
            writer.writeheader()
        writer.writerow(row)


def kept() -> list[dict[str, str]]:
    """All of RESULTS; empty where nothing was measured."""
    if not RESULTS.exists():
        return []
    with RESULTS.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def rows(quick: bool) -> Iterator[Row]:
    """What, ours, what was said first, wrong ones, goal."""
    if not (DATA / "natural-images").is_dir() or not (quick or RESULTS.exists()):
        return
    if quick:
        pictures = opened(SOURCES[0])
        found = [one_draw(pictures, what, 0) for what in (*NUISANCES, *NULLS)]
    else:
        found = kept()
    nuisances = [row for row in found if row["what"] in NUISANCES]
    for what in NUISANCES:
        own = [row for row in nuisances if row["what"] == what]
        if own:
            right, wrong = (
                sum(row[key] not in ("", "no") for row in own) for key in ("named", "wrong")
            )
            yield (
                f"nuisance: {what}",
                f"{right} of {len(own)}",
                own[0]["said"],
                f"{wrong} wrong",
                "",
            )
    right = sum(row["named"] == "yes" for row in nuisances)
    wrong = sum(bool(row["wrong"]) for row in nuisances)
    share = f"{right / len(nuisances):.1%} named"
    yield "nuisances, all", share, f"of {len(nuisances)}", f"{wrong} wrong", "≥ 95 %"
    nulls = [bool(row["said"]) for row in found if row["what"] in NULLS]
    said = f"{sum(nulls)} of {len(nulls)} warn"
    yield "halves alike", said, "", f"{np.mean(nulls):.1%}", "≤ 5 %"


def opened(name: str) -> list[Image.Image]:
    (source,) = as_sources([DATA / "natural-images" / f"{name}_64.parquet"])
    rows = np.random.default_rng(0).permutation(len(source))[: 4 * HALF]
    return [Image.fromarray(source.image(row)).convert("RGB").resize((64, 64)) for row in rows]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=10, help="of every nuisance and source")
    for row in measured(parser.parse_args().draws):
        print(
            row["what"],
            row["source"],
            row["draw"],
            row["named"],
            row["wrong"],
            row["said"],
            sep="; ",
            flush=True,
        )
