"""Nuisances of every family, forty-five, on halves of sources: named, or silent, or wrong?

    python benchmarks/bias.py nuisances [--quick]

A source is split at random into halves of 300; one half is changed, both are saved alike. A draw is
right if the cause or an honest parent of it (in NUISANCES) is among the warnings, and has a wrong
certain cause if a warning that is certain is none of these.
"""

import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from measure import DATA, Row
from PIL import Image, ImageEnhance, ImageFilter, PngImagePlugin

from curate.bias import Source, as_sources, nuisance_audit

HALF = 300
SOURCES = ("caltech101", "flower_photos", "scene15")
Make = Callable[[Image.Image], bytes]


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def jpeg(image: Image.Image, **options: Any) -> bytes:
    return saved(image, "JPEG", quality=95, subsampling=0, **options)


def points(change: Callable[[np.ndarray], np.ndarray], make: Make = saved) -> Make:
    """Pixels as float (H, W, 3) to the like."""

    def changed(image: Image.Image) -> bytes:
        values = np.round(change(np.asarray(image, np.float64)))
        return make(Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)))

    return changed


def noisy(deviation: float) -> Callable[[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(0)
    return lambda values: values + deviation * rng.normal(size=values.shape)


def spotted(places: list[tuple[int, int]], level: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        for row, column in places:
            values[row, column] = level
        return values

    return change


def commented(image: Image.Image) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", "scanner")
    return saved(image, pnginfo=info)


def tagged(image: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "maker"
    return jpeg(image, exif=exif)


def again(image: Image.Image, quality: int) -> Image.Image:
    return Image.open(io.BytesIO(saved(image, "JPEG", quality=quality)))


TONE = {"tone", "levels"}
COLOUR = {"colour balance", "tone", "levels"}
GRAIN = {"grain or sharpness", "resizing filter"}
TURN = {"orientation", "aspect ratio", "resizing filter", "crop offset", "grain or sharpness"}
MARK = [(58 + row, 52 + column) for row in range(3) for column in range(0, 9, 2)]

NUISANCES: dict[str, tuple[set[str], Make, Make]] = {
    "brightness ×0.8": (TONE, saved, points(lambda v: v * 0.8)),
    "brightness +20": (TONE, saved, points(lambda v: v + 20)),
    "contrast ×0.7": (TONE, saved, points(lambda v: v * 0.7 + 38)),
    "contrast ×1.3": (TONE, saved, points(lambda v: (v - 128) * 1.3 + 128)),
    "gamma 1.3": (TONE, saved, points(lambda v: 255 * (v / 255) ** 1.3)),
    "darkened ×0.6, JPEG": (TONE, jpeg, points(lambda v: v * 0.6, jpeg)),
    "white balance ±8 %": (COLOUR, saved, points(lambda v: v * [1.08, 1, 0.92])),
    "white balance ±15 %, JPEG": (COLOUR, jpeg, points(lambda v: v * [1.15, 1, 0.85], jpeg)),
    "saturation ×0.6": (COLOUR, saved, lambda i: saved(ImageEnhance.Color(i).enhance(0.6))),
    "saturation ×1.5": (COLOUR, saved, lambda i: saved(ImageEnhance.Color(i).enhance(1.5))),
    "channels swapped": (COLOUR, saved, points(lambda v: v[..., ::-1])),
    "green cast +10": (COLOUR, saved, points(lambda v: v + np.array([0, 10, 0]))),
    "6 bits": ({"levels"}, saved, points(lambda v: v // 4 * 4)),
    "5 bits": ({"levels"}, saved, points(lambda v: v // 8 * 8)),
    "4 bits": ({"levels"}, saved, points(lambda v: v // 16 * 16)),
    "levels 16 to 235": (TONE, saved, points(lambda v: 16 + v * 219 / 255)),
    "clipped at 230": (TONE, saved, points(lambda v: np.minimum(v, 230))),
    "noise of 3": (GRAIN, saved, points(noisy(3))),
    "noise of 6, JPEG": (GRAIN, jpeg, points(noisy(6), jpeg)),
    "blur 0.6": (GRAIN, saved, lambda i: saved(i.filter(ImageFilter.GaussianBlur(0.6)))),
    "sharpened": (GRAIN, saved, lambda i: saved(ImageEnhance.Sharpness(i).enhance(1.6))),
    "median 3": (GRAIN, saved, lambda i: saved(i.filter(ImageFilter.MedianFilter(3)))),
    "hot pixel": ({"fixed place"}, saved, points(spotted([(20, 31)], 255))),
    "dead pixel": ({"fixed place"}, saved, points(spotted([(40, 12)], 0))),
    "two hot pixels, JPEG": (
        {"fixed place"},
        jpeg,
        points(spotted([(20, 31), (50, 8)], 255), jpeg),
    ),
    "dark stripe of 1": ({"border"}, saved, points(spotted([(0, c) for c in range(64)], 10))),
    "mark in a corner": ({"fixed place"}, saved, points(spotted(MARK, 250))),
    "upside down": (TURN, saved, lambda i: saved(i.transpose(Image.Transpose.ROTATE_180))),
    "turned by 90°": (TURN, saved, lambda i: saved(i.transpose(Image.Transpose.ROTATE_90))),
    "turned by 2°": (
        TURN | {"border"},
        saved,
        lambda i: saved(i.rotate(2, Image.Resampling.BICUBIC)),
    ),
    "crop offset 2 after JPEG": (
        {"crop offset"},
        lambda i: saved(again(i, 75).crop((0, 0, 56, 56))),
        lambda i: saved(again(i, 75).crop((2, 2, 58, 58))),
    ),
    "crop offset 1": (
        {"crop offset"},
        lambda i: saved(i.crop((0, 0, 60, 60))),
        lambda i: saved(i.crop((1, 1, 61, 61))),
    ),
    "zoom ×1.1": (GRAIN, saved, lambda i: saved(i.crop((3, 3, 61, 61)).resize((64, 64)))),
    "CMYK": ({"stored mode"}, jpeg, lambda i: jpeg(i.convert("CMYK"))),
    "TIFF, packed": (
        {"writer"},
        lambda i: saved(i, "TIFF"),
        lambda i: saved(i, "TIFF", compression="tiff_lzw"),
    ),
    "bytes after the end": ({"writer", "metadata"}, jpeg, lambda i: jpeg(i) + b"more"),
    "RGBA": ({"stored mode"}, saved, lambda i: saved(i.convert("RGBA"))),
    "palette": (
        {"stored mode"},
        saved,
        lambda i: saved(i.convert("P", palette=Image.Palette.ADAPTIVE)),
    ),
    "stored grey": (
        {"stored mode", "grey or colour"},
        lambda i: saved(i.convert("L").convert("RGB")),
        lambda i: saved(i.convert("L")),
    ),
    "EXIF": ({"metadata"}, jpeg, tagged),
    "comment": ({"metadata"}, jpeg, lambda i: jpeg(i, comment=b"by hand")),
    "colour profile": ({"metadata"}, saved, lambda i: saved(i, icc_profile=b"0" * 128)),
    "PNG text": ({"metadata", "writer"}, saved, commented),
    "PNG level": ({"writer"}, saved, lambda i: saved(i, compress_level=9)),
    "JPEG optimised": ({"writer"}, jpeg, lambda i: jpeg(i, optimize=True)),
}


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


def rows(quick: bool) -> Iterator[Row]:
    """What, ours, what was said first, wrong ones, goal."""
    folder = DATA / "natural-images"
    if not folder.is_dir():
        return
    draws = 1 if quick else 10
    held = [opened(name) for name in (SOURCES[:1] if quick else SOURCES)]
    rights, wrongs, total = 0, 0, 0
    for what in NUISANCES:
        found = [judged(pictures, what, seed) for pictures in held for seed in range(draws)]
        right = sum(named for named, _, _ in found)
        wrong = sum(bool(others) for _, others, _ in found)
        rights, wrongs, total = rights + right, wrongs + wrong, total + len(found)
        yield f"nuisance: {what}", f"{right} of {len(found)}", found[0][2], f"{wrong} wrong", ""
    yield (
        "nuisances, all",
        f"{rights / total:.1%} named",
        f"of {total}",
        f"{wrongs} wrong",
        "≥ 95 %",
    )
    nulls = [
        bool(nuisance_audit(halves(pictures, make, make, 1000 + seed), seed=seed).warnings)
        for pictures in held
        for make in (saved, jpeg)
        for seed in range(2 if quick else 20)
    ]
    yield "halves alike", f"{sum(nulls)} of {len(nulls)} warn", "", f"{np.mean(nulls):.1%}", "≤ 5 %"


def opened(name: str) -> list[Image.Image]:
    (source,) = as_sources([DATA / "natural-images" / f"{name}_64.parquet"])
    rows = np.random.default_rng(0).permutation(len(source))[: 4 * HALF]
    return [Image.fromarray(source.image(row)).convert("RGB").resize((64, 64)) for row in rows]
