"""Cards and galleries: examples to look at, each tied to its row in the table of examples."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """One example of a gallery: texts are clean but not yet escaped, ``picture`` a data URI.

    ``row`` is that of the table which the gallery was drawn from.
    """

    row: int
    example_id: str
    label: str
    fate: str
    kept: bool | None
    words: str | None
    picture: str | None
    pixelated: bool
    alt: str


@dataclass(frozen=True)
class Gallery:
    """Some examples of one fate, out of ``total``; a folded one opens at a click."""

    title: str
    caption: str
    total: int
    cards: list[Card]
    folded: bool = False
