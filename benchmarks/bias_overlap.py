"""Copies in two sources: is the headline true, and are the copies found?

    python benchmarks/bias.py overlap [--quick]

Two sources of one distribution that share none, a tenth, half or all of their examples: whatever
a classifier does, it is right with a probability of one half on new examples, so the exact interval
must hold 50 % in 95 of 100 draws or a little more. The same sources with coin-toss labels in
``cross_dataset``, where every cell is 0.5. Of photographs, the copies that are found: byte-equal
ones, ones saved anew, smaller ones.
"""

import io
from collections.abc import Callable, Iterator

import numpy as np
import torch
from measure import DATA, Row
from PIL import Image

from curate.bias import Source, as_sources, cross_dataset, name_that_dataset
from curate.bias.overlap.find import find_overlap

COUNT = 250  # examples of each source
GOAL = "93–97 %"


def rows(quick: bool) -> Iterator[Row]:
    """What, ours, a floor, ratio, goal."""
    torch.set_num_threads(1)
    draws = 40 if quick else 400
    for d in (16, 200) if quick else (16, 200, 2000):
        for share in (0.0, 0.1, 0.5, 1.0):
            games = [played(d, share, seed) for seed in range(draws)]
            held = np.mean([game["held"] for game in games])
            counted = np.mean([game["counted"] for game in games])
            both = np.array([[game["accuracy"], game["p_value"]] for game in games])
            yield (
                f"{share:.0%} of {COUNT} shared, d = {d}: interval holds 50 %",
                f"{held:.1%} of {draws} draws; p ≤ 0.05 in {np.mean(both[:, 1] <= 0.05):.1%}",
                f"accuracy {both[:, 0].mean():.1%}; with p: r = {np.corrcoef(both.T)[0, 1]:+.2f}",
                f"copies counted exactly in {counted:.0%}",
                GOAL,
            )
    yield from crossed(8 if quick else 40)
    yield from found_in_photographs(100 if quick else 400)


def played(d: int, share: float, seed: int) -> dict[str, float]:
    rng = np.random.default_rng([seed, d])
    shared = round(share * COUNT)
    x = rng.normal(size=(2 * COUNT - shared, d)).astype(np.float32)
    parts = {"a": x[:COUNT], "b": rng.permutation(x[len(x) - COUNT :])}
    found = name_that_dataset(
        parts, controls=False, sizes=(), folds=2, permutations=199, seed=seed,
        train_size=125, test_size=125,
    )  # fmt: skip
    counts = found.overlap.counts.to_pylist()
    return {
        "held": found.interval[0] <= 0.5 <= found.interval[1],
        "counted": [row["equal"] for row in counts] == [shared] * (2 if shared else 0)
        and not any(row["near"] for row in counts),
        "accuracy": found.accuracy,
        "p_value": found.p_value,
    }


def crossed(draws: int) -> Iterator[Row]:
    """Coin-toss labels: a, a copy of a, and an independent set; every cell is 0.5."""
    for d in (500, 4000):
        held, means = 0, []
        for seed in range(draws):
            rng = np.random.default_rng([seed, d])
            x, other = rng.normal(size=(2, 300, d)).astype(np.float32)
            labels, others = rng.integers(0, 2, (2, 300))
            cross = cross_dataset(
                {
                    name: Source(name, np.arange(300), features=part, labels=own)
                    for name, part, own in (
                        ("a", x, labels),
                        ("b", x, labels),
                        ("c", other, others),
                    )
                },
                seed=seed,
            )
            (cell,) = (
                row for row in cross.cells.to_pylist() if (row["train"], row["test"]) == ("a", "b")
            )
            held += cell["low"] <= 0.5 <= cell["high"]
            means.append(cell["performance"])
        yield (
            f"cross_dataset, trained on a, tested on its copy, d = {d}",
            f"{np.mean(means):.3f}; 0.5 in its interval in {held / draws:.0%} of {draws}",
            "–",
            "–",
            "0.5",
        )


def encoded(image: Image.Image, kind: str = "JPEG", **options: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


COPIES: dict[str, Callable[[Image.Image], bytes]] = {
    "byte-equal": lambda image: encoded(image, quality=95),
    "saved anew, JPEG 92": lambda image: encoded(image, quality=92),
    "saved anew, JPEG 60": lambda image: encoded(image, quality=60),
    "saved anew, PNG": lambda image: encoded(image, "PNG"),
    "saved anew, WebP 80": lambda image: encoded(image, "WEBP", quality=80),
    "half as wide, JPEG 90": lambda image: encoded(image.resize((32, 32)), quality=90),
    "a fifth darker, JPEG 90": lambda image: encoded(
        image.point(lambda level: level * 0.8), quality=90
    ),
}


def found_in_photographs(count: int) -> Iterator[Row]:
    folder = DATA / "natural-images"
    if not folder.is_dir():
        return
    for name in ("caltech101", "flower_photos"):
        (source,) = as_sources([folder / f"{name}_64.parquet"])
        order = np.random.default_rng(0).permutation(len(source))[: 2 * count]
        pictures = [Image.fromarray(source.image(row)).convert("RGB") for row in order]
        files = [encoded(picture, quality=95) for picture in pictures]
        first = Source("a", np.arange(count), encoded=files[:count])
        apart = Source("b", np.arange(count), encoded=files[count:])
        chance = sum(find_overlap([first, apart], [None, None]).counts["near"].to_pylist()[:1])
        for what, make in COPIES.items():
            again = [make(picture) for picture in pictures[: count // 2]]
            other = Source("b", np.arange(count), encoded=[*again, *files[count + len(again) :]])
            pairs = find_overlap([first, other], [None, None]).pairs.to_pylist()
            right = sum(
                row["source"] == "a" and row["example_id"] == row["other_id"] for row in pairs
            )
            yield (
                f"{name}: {count // 2} of {count} shared, {what}",
                f"{right / len(again):.1%} found",
                f"near pairs of the halves themselves: {chance}",
                "–",
                "100 %" if what == "byte-equal" else "≥ 98 %",
            )
