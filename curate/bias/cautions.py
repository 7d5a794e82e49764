"""Cautions: what to know before the figures of a game are believed."""

from dataclasses import dataclass

from curate.bias.null_control import NullControl
from curate.bias.source import Source


@dataclass(frozen=True)
class Caution:
    """Something to know before the figures are believed.

    Attributes:
        cause: one or two words.
        sources: which ones it concerns.
        text: a sentence.
    """

    cause: str
    sources: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return self.text


def too_few(
    sources: list[Source], trained: int, tested: int, train_size: int, test_size: int
) -> list[Caution]:
    """Whether the smallest source limited the others."""
    if trained >= train_size and tested >= test_size:
        return []
    small = tuple(each.name for each in sources if len(each) < train_size + test_size)
    return [
        Caution(
            "few examples",
            small,
            f"{', '.join(small) or 'A source'} had fewer than {train_size:,} + {test_size:,} "
            f"different examples, so every source gave {trained:,} to train on and {tested:,} to "
            "be tested.",
        )
    ]


def null_alarms(null: NullControl | None) -> list[Caution]:
    """Whether something was found where nothing is."""
    if null is None or not null.alarms:
        return []
    return [
        Caution(
            "null control",
            null.alarms,
            f"Random halves of {', '.join(null.alarms)} did not come out at chance, though nothing "
            "parts them: look for near copies or an order in the data before the figures are "
            "believed.",
        )
    ]
