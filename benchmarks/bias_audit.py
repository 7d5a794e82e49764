"""The nuisance audit on manipulated halves of one source: is the cause named, and nothing else?

    python benchmarks/bias.py audit [--quick]

Rows of the table that benchmarks/bias.py prints. A source is split at random into two halves of 300
images, and the files of both are made anew, alike but for one thing; over several splits of each
source the share of audits is counted that name the cause of it and no other. Halves made alike
must not raise a warning. Photos where the real data is there, else scikit-learn's digits.
"""

import io
import time
from collections.abc import Callable, Iterator

import numpy as np
from measure import Row
from PIL import Image

from curate.bias import Source, as_sources, nuisance_audit
from curate.data.known.local_copy import find_copy

Make = Callable[[Image.Image], bytes]

HALF = 300
PHOTOS = ("caltech101", "flower_photos")
AREA, NEAREST = Image.Resampling.BOX, Image.Resampling.NEAREST
BILINEAR, BICUBIC, LANCZOS = (
    Image.Resampling.BILINEAR,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
)


def rows(quick: bool) -> Iterator[Row]:
    """(what, ours, peer or floor, ratio, goal) of every measurement."""
    sources = [opened(name) for name in (PHOTOS[:1] if quick else PHOTOS)]
    splits = 2 if quick else 5
    for what, (cause, one, other) in CASES.items():
        goal = "all" if what in NAMED_IN_THE_GOALS else ""
        right, other_causes = 0, 0
        for source in sources:
            for seed in range(splits):
                found = audited(source, one, other, seed)
                right += cause in found
                other_causes += any(each != cause for each in found)
        count = splits * len(sources)
        named = f"{right} of {count} named, {other_causes} with a wrong cause"
        yield f"audit: {what} ({cause})", named, "–", f"{right / count:.0%}", goal
    yield from alike(sources, 4 if quick else 20)
    yield cost(sources[0])


def alike(sources: list[Source], splits: int) -> Iterator[Row]:
    for what, make in (("JPEG", jpeg), ("PNG", png)):
        alarms = [
            bool(audited(source, make, make, 100 + seed))
            for source in sources
            for seed in range(splits)
        ]
        shown = f"{sum(alarms)} of {len(alarms)} warn"
        yield f"audit: halves alike, {what}", shown, "–", f"{np.mean(alarms):.0%}", "≤ 5 %"


def cost(source: Source) -> Row:
    one, other = halves(source, jpeg, lambda image: jpeg(image, 75), 0)
    nuisance_audit([one, other])
    start = time.process_time()
    nuisance_audit([one, other])
    spent = f"{time.process_time() - start:.1f} s of CPU"
    return f"audit: cost, 2 × {HALF} of {source.image(0).shape[0]} pixels", spent, "–", "–", ""


def opened(name: str) -> Source:
    place = find_copy(None, f"natural-images/{name}_64.parquet")
    return as_sources(["digits" if place is None else place])[0]


def audited(source: Source, one: Make, other: Make, seed: int) -> list[str]:
    return [warning.cause for warning in nuisance_audit(halves(source, one, other, seed)).warnings]


def halves(source: Source, one: Make, other: Make, seed: int) -> list[Source]:
    order = np.random.default_rng(seed).permutation(len(source))
    made = []
    for name, make, rows in (("one", one, order[:HALF]), ("other", other, order[HALF : 2 * HALF])):
        blobs = [make(Image.fromarray(source.image(row)).convert("RGB")) for row in rows]
        made.append(Source(name, np.arange(HALF), encoded=blobs))
    return made


def encoded(image: Image.Image, kind: str, **options: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def jpeg(image: Image.Image, quality: int = 95) -> bytes:
    return encoded(image, "JPEG", quality=quality)


def png(image: Image.Image) -> bytes:
    return encoded(image, "PNG")


def lossy(image: Image.Image, quality: int) -> Image.Image:
    return Image.open(io.BytesIO(jpeg(image, quality)))


def resized(share: float, resample: Image.Resampling) -> Callable[[Image.Image], Image.Image]:
    def resize(image: Image.Image) -> Image.Image:
        return image.resize((round(image.width * share), round(image.height * share)), resample)

    return resize


def squashed(image: Image.Image) -> Image.Image:
    """Its middle three quarters, stretched sideways to the size that it had."""
    eighth = image.width // 8
    middle = image.crop((eighth, 0, image.width - eighth, image.height))
    return middle.resize(image.size, BICUBIC)


def framed(image: Image.Image, thick: int, level: int) -> Image.Image:
    framed = Image.new("RGB", image.size, (level, level, level))
    inside = (thick, thick, image.width - thick, image.height - thick)
    framed.paste(image.crop(inside), inside)
    return framed


def _of(make: Make, change: Callable[[Image.Image], Image.Image]) -> Make:
    return lambda image: make(change(image))


NAMED_IN_THE_GOALS = (
    "JPEG q95, q75",
    "PNG, JPEG",
    "three quarters by area, nearest; PNG",
    "three quarters by area, nearest; JPEG",
    "squashed, saved so",
    "squashed, of equal size",
)

CASES: dict[str, tuple[str, Make, Make]] = {
    "JPEG q95, q75": ("JPEG quality", jpeg, lambda image: jpeg(image, 75)),
    "PNG, JPEG": ("file format", png, jpeg),
    "three quarters by area, nearest; PNG": (
        "resizing filter",
        _of(png, resized(0.75, AREA)),
        _of(png, resized(0.75, NEAREST)),
    ),
    "three quarters by area, nearest; JPEG": (
        "resizing filter",
        _of(jpeg, resized(0.75, AREA)),
        _of(jpeg, resized(0.75, NEAREST)),
    ),
    "squashed, saved so": (
        "aspect ratio",
        jpeg,
        lambda image: jpeg(image.resize((image.width, image.height * 3 // 4), BICUBIC)),
    ),
    "squashed, of equal size": ("aspect ratio", jpeg, _of(jpeg, squashed)),
    "half by area, nearest; JPEG": (
        "resizing filter",
        _of(jpeg, resized(0.5, AREA)),
        _of(jpeg, resized(0.5, NEAREST)),
    ),
    "three quarters by Lanczos, bilinear; JPEG": (
        "resizing filter",
        _of(jpeg, resized(0.75, LANCZOS)),
        _of(jpeg, resized(0.75, BILINEAR)),
    ),
    "enlarged from half the size": (
        "resizing filter",
        jpeg,
        lambda image: jpeg(image.resize((image.width // 2, image.height // 2), AREA).resize(
            image.size, BILINEAR
        )),
    ),
    "q75 inside PNG": ("JPEG quality", png, lambda image: png(lossy(image, 75))),
    "q90 inside PNG": ("JPEG quality", png, lambda image: png(lossy(image, 90))),
    "smaller": ("resolution", jpeg, _of(jpeg, resized(0.75, AREA))),
    "grey saved as RGB": (
        "grey or colour",
        jpeg,
        lambda image: jpeg(image.convert("L").convert("RGB")),
    ),
    "dark frame of 1 pixel": ("border", jpeg, lambda image: jpeg(framed(image, 1, 10))),
    "light frame of 3 pixels": ("border", jpeg, lambda image: jpeg(framed(image, 3, 245))),
    "chroma 4:4:4, 4:2:0": (
        "chroma subsampling",
        lambda image: encoded(image, "JPEG", quality=95, subsampling=0),
        lambda image: encoded(image, "JPEG", quality=95, subsampling=2),
    ),
}  # fmt: skip
