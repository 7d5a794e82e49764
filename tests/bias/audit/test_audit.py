"""Every manipulation of one half of a source is named, and an untouched half is not."""

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from curate.bias import Source, as_sources, nuisance_audit
from curate.bias.audit.shortcut import CAUSES
from curate.errors import CurateError

COUNT = 240


def encode(image, kind="JPEG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def jpeg(image, quality=95):
    return encode(image, quality=quality)


def png(image):
    return encode(image, "PNG")


def again(image, quality):
    return Image.open(io.BytesIO(jpeg(image, quality)))


def small(image, resample):
    return image.resize((48, 48), resample)


def squeezed(image):
    return image.crop((8, 0, 56, 64)).resize((64, 64), Image.Resampling.BICUBIC)


def framed(image):
    return ImageOps.expand(image.crop((2, 2, 62, 62)), 2, fill=(20, 20, 20))


BOX, NEAREST = Image.Resampling.BOX, Image.Resampling.NEAREST
PLAIN = {"jpeg": jpeg, "png": png}
CASES = {
    "q95, q75": ("JPEG quality", jpeg, lambda image: jpeg(image, 75)),
    "q75 inside PNG": ("JPEG quality", png, lambda image: png(again(image, 75))),
    "PNG, JPEG": ("file format", png, jpeg),
    "area, nearest": (
        "resizing filter",
        lambda image: png(small(image, BOX)),
        lambda image: png(small(image, NEAREST)),
    ),
    "area, nearest, JPEG": (
        "resizing filter",
        lambda image: jpeg(small(image, BOX)),
        lambda image: jpeg(small(image, NEAREST)),
    ),
    "half by area, nearest": (
        "resizing filter",
        lambda image: jpeg(image.resize((32, 32), BOX)),
        lambda image: jpeg(image.resize((32, 32), NEAREST)),
    ),
    "Lanczos, bilinear": (
        "resizing filter",
        lambda image: jpeg(small(image, Image.Resampling.LANCZOS)),
        lambda image: jpeg(small(image, Image.Resampling.BILINEAR)),
    ),
    "q60 inside q95": ("JPEG quality", jpeg, lambda image: jpeg(again(image, 60))),
    "progressive": ("file format", jpeg, lambda image: encode(image, quality=95, progressive=True)),
    "squashed": ("aspect ratio", jpeg, lambda image: jpeg(image.resize((64, 48)))),
    "squashed, same size": ("aspect ratio", jpeg, lambda image: jpeg(squeezed(image))),
    "smaller": ("resolution", jpeg, lambda image: jpeg(image.resize((56, 56)))),
    "grey": ("grey or colour", jpeg, lambda image: jpeg(image.convert("L").convert("RGB"))),
    "grey files": ("grey or colour", jpeg, lambda image: jpeg(image.convert("L"))),
    "frame": ("border", jpeg, lambda image: jpeg(framed(image))),
    "chroma": (
        "chroma subsampling",
        lambda image: encode(image, quality=95, subsampling=0),
        lambda image: encode(image, quality=95, subsampling=2),
    ),
}


def photographs(count, seed):
    """Pictures with the falling spectrum and the blurred edges of photographs, (64, 64, 3)."""
    rng = np.random.default_rng(seed)
    radius = np.hypot(np.fft.fftfreq(96)[:, None], np.fft.rfftfreq(96)[None]) + 0.01
    found = []
    for _ in range(count):
        layers = []
        for _ in range(2):
            noise = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(96, 96))) / radius)
            layers.append((noise - noise.mean()) / noise.std())
        mask = (np.fft.irfft2(np.fft.rfft2(rng.normal(size=(96, 96))) / radius**2) > 0).astype(
            float
        )
        grey = layers[0] * mask + (0.7 * layers[1] + rng.normal()) * (1 - mask)
        grey = (grey[:-1, :-1] + grey[1:, :-1] + grey[:-1, 1:] + grey[1:, 1:]) / 4
        tint = 1 + 0.25 * rng.normal(size=3)
        pixels = 120 + 45 * grey[16:80, 16:80, None] * tint + 8 * rng.normal(size=3)
        found.append(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))
    return found


@pytest.fixture(scope="module")
def pictures():
    return photographs(2 * COUNT, 0)


def source(name, blobs):
    return Source(name, np.arange(len(blobs)), encoded=blobs)


def two(pictures, one, other, seed):
    order = np.random.default_rng(seed).permutation(len(pictures))
    halves = [[pictures[i] for i in half] for half in np.array_split(order, 2)]
    return [
        source("one", [one(image) for image in halves[0]]),
        source("other", [other(image) for image in halves[1]]),
    ]


@pytest.mark.parametrize("case", CASES)
def test_a_manipulation_is_named_and_nothing_else(case, pictures):
    cause, one, other = CASES[case]
    audit = nuisance_audit(two(pictures, one, other, seed=1))
    assert [warning.cause for warning in audit.warnings] == [cause]
    warning = audit.warnings[0]
    assert set(warning.sources) == {"one", "other"}
    assert warning.accuracy > 0.6
    assert cause.lower() in str(warning).lower()
    rows = {row["cause"]: row for row in audit.table.to_pylist()}
    assert set(rows) == {*CAUSES, "all together"}
    assert rows[cause]["low"] > 0.5
    assert rows[cause]["explained"] > 0


@pytest.mark.parametrize("kind", PLAIN)
def test_halves_alike_raise_no_alarm(kind, pictures):
    alarms = [
        nuisance_audit(two(pictures, PLAIN[kind], PLAIN[kind], seed), seed=seed).warnings
        for seed in range(4)
    ]
    # 1 % a game over all causes: two or more of four happen once in 1,700 sets
    assert sum(map(bool, alarms)) <= 1


def test_real_photographs(real_data):
    place = real_data / "natural-images" / "flower_photos_64.parquet"
    (flowers,) = as_sources({"flowers": place})
    pictures = [Image.fromarray(flowers.image(row)) for row in range(2 * COUNT)]
    for case in ("q95, q75", "PNG, JPEG", "area, nearest", "squashed", "squashed, same size"):
        cause, one, other = CASES[case]
        audit = nuisance_audit(two(pictures, one, other, seed=0))
        assert [warning.cause for warning in audit.warnings] == [cause], case


def bare(name, images):
    pixels = torch.from_numpy(np.stack([np.asarray(image) for image in images]))
    return Source(name, np.arange(len(images)), pixels=pixels.permute(0, 3, 1, 2).contiguous())


@pytest.mark.parametrize("files", [False, True])
def test_of_bare_pixels_nothing_is_said_that_files_would_say(files, pictures):
    plain = bare("plain", pictures[:COUNT])
    if files:
        packed = source("packed", [jpeg(image, 60) for image in pictures[COUNT:]])
    else:
        packed = bare("packed", [again(image, 60) for image in pictures[COUNT:]])
    audit = nuisance_audit([plain, packed])
    assert [warning.cause for warning in audit.warnings] == ["JPEG quality"]
    assert "pixels alone" in audit.warnings[0].text
    assert not audit.headers
    assert "bare pixels" in str(audit)
    assert "file format" not in audit.table["cause"].to_pylist()


def test_three_sources_and_the_odd_one_first(pictures):
    parts = [pictures[i::3] for i in range(3)]
    audit = nuisance_audit(
        [
            source("a", [jpeg(image) for image in parts[0]]),
            source("odd", [jpeg(image, 70) for image in parts[1]]),
            source("c", [jpeg(image) for image in parts[2]]),
        ]
    )
    (warning,) = audit.warnings
    assert warning.cause == "JPEG quality"
    assert warning.sources[0] == "odd"
    assert "'odd' (70)" in warning.text
    named = {(row["first"], row["second"]) for row in audit.pairs.to_pylist() if row["named"]}
    assert named == {("a", "odd"), ("odd", "c")}


def test_the_same_seed_says_the_same(pictures):
    sources = two(pictures[:160], jpeg, png, seed=3)
    one, other = nuisance_audit(sources, seed=4), nuisance_audit(sources, seed=4)
    assert one.table.equals(other.table)
    assert str(one) == str(other)


def test_bad_input(pictures):
    good = source("good", [jpeg(image) for image in pictures[:20]])
    with pytest.raises(CurateError, match="two or more"):
        nuisance_audit([good])
    with pytest.raises(CurateError, match="8 or more"):
        nuisance_audit([good, source("few", [jpeg(pictures[0])] * 3)])
    with pytest.raises(CurateError, match="features"):
        nuisance_audit([good, Source("f", np.arange(9), features=np.zeros((9, 2), np.float32))])
    torn = source("torn", [jpeg(image)[:100] for image in pictures[:20]])
    with pytest.raises(CurateError, match="cannot be"):
        nuisance_audit([good, torn])
