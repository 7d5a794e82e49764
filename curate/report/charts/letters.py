"""How wide text is in the widest of the usual fonts, so that a chart leaves room for it."""

import unicodedata
from itertools import accumulate

# Advance widths of the characters from space to ~ in hundredths of the font size: DejaVu Sans,
# regular and bold. It is the widest of the fonts that the charts ask for, so text that fits in it
# fits in the others.
_REGULAR = (
    *(32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64),
    *(64, 64, 64, 34, 34, 84, 84, 84, 53, 100, 68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86),
    *(75, 79, 60, 79, 69, 63, 61, 73, 68, 99, 69, 61, 69, 39, 34, 39, 84, 50, 50, 61, 63, 55, 63),
    *(62, 35, 63, 63, 28, 28, 58, 28, 97, 63, 61, 63, 63, 41, 52, 39, 63, 59, 82, 59, 59, 52, 64),
    *(34, 64, 84),
)
_BOLD = (
    *(35, 46, 52, 84, 70, 100, 87, 31, 46, 46, 52, 84, 38, 42, 38, 36, 70, 70, 70, 70, 70, 70, 70),
    *(70, 70, 70, 40, 40, 84, 84, 84, 58, 100, 77, 76, 73, 83, 68, 68, 82, 84, 37, 37, 78, 64, 100),
    *(84, 85, 73, 85, 77, 72, 68, 81, 77, 110, 77, 72, 72, 46, 36, 46, 84, 50, 50, 68, 72, 59, 72),
    *(68, 44, 72, 71, 34, 34, 66, 34, 104, 71, 69, 72, 72, 49, 60, 48, 71, 65, 92, 64, 65, 58, 71),
    *(36, 71, 84),
)
_OTHER = 1.15  # of other characters in em: few are wider


def width_of(words: str, size: float = 12, *, bold: bool = False) -> float:
    """The width of a line of text in pixels, at least as wide as it will be."""
    return sum(_width(letter, bold) for letter in words) * size


def fit(words: str, room: float, size: float = 12, *, bold: bool = False) -> str:
    """The words, cut in the middle so that they are at most ``room`` pixels wide."""
    if width_of(words, size, bold=bold) <= room:
        return words
    spare = room - width_of("…", size, bold=bold)
    heads = _fitting(words, spare * 0.45, size, bold)
    tails = _fitting(words[::-1], spare - width_of(words[:heads], size, bold=bold), size, bold)
    return words[:heads] + "…" + words[len(words) - tails :]


def _fitting(words: str, room: float, size: float, bold: bool) -> int:
    """How many of the first letters fit."""
    ends = accumulate(_width(letter, bold) * size for letter in words)
    return sum(1 for end in ends if end <= room)


def _width(letter: str, bold: bool) -> float:
    code = ord(letter)
    if 32 <= code < 127:
        return (_BOLD if bold else _REGULAR)[code - 32] / 100
    if unicodedata.combining(letter):
        return 0.0
    if letter in "–…—" or "\u00c0" <= letter <= "\u024f":
        return 1.0 if letter in "…—" else 0.5 if letter == "–" else 1.07 if bold else 1.0
    return _OTHER
