"""Text from data sets, made safe to show, and numbers as people read them."""

import re

_UNSHOWABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters: terminal escapes, NUL, line breaks
    "\ud800-\udfff\ufffe\uffff"  # not text: UTF-8 and XML cannot hold these
    "\u2028\u2029\u202a-\u202e\u2066-\u2069]"  # line breaks; direction overrides, to spoof with
)


def clean(value: object, limit: int = 80) -> str:
    """One line of at most ``limit`` characters that cannot steer a terminal or break a page.

    Control characters, lone surrogates and direction overrides become U+FFFD; a longer text ends
    in an ellipsis. HTML and XML still need their own escaping.
    """
    text = str(value)
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return _UNSHOWABLE.sub("\ufffd", text)


def clean_id(value: object, limit: int = 160) -> str:
    """As :func:`clean`, a longer text cut in the middle: ids differ at their end."""
    text = str(value)
    if len(text) > limit:
        head = (limit - 1) // 2
        text = text[:head] + "…" + text[len(text) - (limit - 1 - head) :]
    return clean(text, limit)


def count(number: int) -> str:
    """12345 as '12,345'."""
    return f"{int(number):,}"


def percent(part: float, whole: float = 1.0, digits: int = 1) -> str:
    """A share as '70.0%'; '–' of nothing."""
    return f"{100 * part / whole:.{digits}f}%" if whole else "–"


def plural(number: int, noun: str) -> str:
    """'1 event', '2,000 events'."""
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"
