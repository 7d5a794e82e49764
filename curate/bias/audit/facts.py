"""What an image file says of itself, without its pixels being looked at."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from curate.bias.audit.layout import layout
from curate.errors import CurateError

# The luminance table of the JPEG standard (ITU-T T.81, table K.1), row by row.
_STANDARD = np.array(
    [
        *(16, 11, 10, 16, 24, 40, 51, 61),
        *(12, 12, 14, 19, 26, 58, 60, 55),
        *(14, 13, 16, 24, 40, 57, 69, 56),
        *(14, 17, 22, 29, 51, 87, 80, 62),
        *(18, 22, 37, 56, 68, 109, 103, 77),
        *(24, 35, 55, 64, 81, 104, 113, 92),
        *(49, 64, 78, 87, 103, 121, 120, 101),
        *(72, 92, 95, 98, 112, 100, 103, 99),
    ]
)
_SUBSAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}


@dataclass(frozen=True)
class Facts:
    """The header of one image file.

    Attributes:
        format: "JPEG", "PNG" …
        mode: "L", "RGB" …, as stored.
        width: in pixels, as stored.
        height: in pixels, as stored.
        quality: of JPEG, 1..100 on the scale of the Independent JPEG Group, of the nearest
            scaled standard table; None for other formats.
        steps: mean logarithm of the luminance quantisation steps of a JPEG, else 0.
        subsampling: of the chroma of a JPEG, such as "4:2:0"; "" for others and grey ones.
        progressive: whether a JPEG is stored scan by scan.
        metadata: what else the header holds, in a fixed order: "EXIF, comment", or "".
        writer: how the file is laid out: segments of a JPEG and whether its Huffman tables are the
            standard's, chunks of a PNG and the level of compression that it states.
    """

    format: str
    mode: str
    width: int
    height: int
    quality: int | None
    steps: float
    subsampling: str
    progressive: bool
    metadata: str = ""
    writer: str = ""


def read_facts(content: bytes, name: object) -> Facts:
    """The facts of an image file.

    Args:
        content: the bytes of the file.
        name: what to call the example in an error.

    Raises:
        CurateError: the bytes are not an image.
    """
    from PIL import Image, JpegImagePlugin

    try:
        with Image.open(io.BytesIO(content)) as image:
            quality, steps, subsampling, progressive = None, 0.0, "", False
            if isinstance(image, JpegImagePlugin.JpegImageFile):
                table = np.array(image.quantization[min(image.quantization)], np.float64)
                quality, steps = _quality(table), float(np.log(table).mean())
                subsampling = _SUBSAMPLINGS.get(JpegImagePlugin.get_sampling(image), "")
                progressive = bool(image.info.get("progressive", False))
            width, height = image.size
            kind = "JPEG" if image.format == "MPO" else str(image.format)
            return Facts(
                kind, image.mode, width, height, quality, steps, subsampling, progressive,
                metadata=_metadata(image.info), writer=layout(content),
            )  # fmt: skip
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise CurateError(
            f"dataset: the image of example {name!r} cannot be opened; repair it or leave it out"
        ) from error


_METADATA = {
    "exif": "EXIF",
    "icc_profile": "colour profile",
    "comment": "comment",
    "xmp": "XMP",
    "photoshop": "Photoshop",
    "adobe": "Adobe",
    "dpi": "resolution in dpi",
    "gamma": "gamma",
    "srgb": "sRGB",
    "transparency": "transparent colour",
    "Software": "software",
}


def _metadata(info: dict[Any, Any]) -> str:
    return ", ".join(shown for key, shown in _METADATA.items() if info.get(key))


def _quality(table: np.ndarray) -> int:
    """The quality whose scaled standard table has the mean step nearest to this one's."""
    qualities = np.arange(1, 101)
    scale = np.where(qualities < 50, 5000 // qualities, 200 - 2 * qualities)
    tables = np.clip((_STANDARD * scale[:, None] + 50) // 100, 1, 255)
    return int(qualities[np.abs(tables.mean(1) - table.mean()).argmin()])
