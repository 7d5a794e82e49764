"""Nuisances of every family, fifty-one: what is done to the other half of a source's images."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, PngImagePlugin

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


def salted(share: float) -> Callable[[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(0)
    return lambda values: np.where(rng.random((*values.shape[:2], 1)) < share, 255, values)


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


def half_turned(image: Image.Image) -> Image.Image:
    """Every other image upside down, by its pixels."""
    odd = int(np.asarray(image, np.int64).sum()) % 2
    return image.transpose(Image.Transpose.ROTATE_180) if odd else image


def hue_turned(image: Image.Image, steps: int) -> Image.Image:
    """The hue turned by so many 256ths of the circle."""
    hue, saturation, value = image.convert("HSV").split()
    hue = hue.point(lambda level: (level + steps) % 256)
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")


TONE = {"tone", "levels"}
COLOUR = {"colour balance", "tone", "levels", "grey or colour"}  # a tint colours grey pictures
GRAIN = {"grain or sharpness", "resizing filter"}
TURN = {"orientation", "aspect ratio", "resizing filter", "crop offset", "grain or sharpness"}
LIGHT = {"uneven light", "tone"}
ROWS, COLUMNS = np.mgrid[:64, :64][..., None]
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
    "lit from the left": (LIGHT, saved, points(lambda v: v + 25 * (1 - COLUMNS / 32))),
    "darker at the edges": (
        LIGHT,
        saved,
        points(lambda v: v * (1 - ((ROWS - 31.5) ** 2 + (COLUMNS - 31.5) ** 2) / 4096)),
    ),
    "salt": (GRAIN, saved, points(salted(0.003))),
    "dark stripe of 1": ({"border"}, saved, points(spotted([(0, c) for c in range(64)], 10))),
    "mark in a corner": ({"fixed place"}, saved, points(spotted(MARK, 250))),
    "upside down": (TURN, saved, lambda i: saved(i.transpose(Image.Transpose.ROTATE_180))),
    "mirrored": (
        {"orientation"},
        saved,
        lambda i: saved(i.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
    ),
    "half upside down": (TURN, saved, lambda i: saved(half_turned(i))),
    "hue by 11°": (COLOUR, saved, lambda i: saved(hue_turned(i, 8))),
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
