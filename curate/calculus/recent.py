"""What was compiled last: a program for every batch size would fill the memory."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")
MOST = 128
"""Programs that one expression keeps, each of a few kilobytes and 5 to 50 ms to make again."""


class Recent(OrderedDict[tuple, T]):
    """Values by key, of which the `MOST` that were asked for last are kept."""

    last: T | None = None

    def find(self, key: tuple) -> T | None:
        """The value, or None where there is none (any more)."""
        found = self.get(key)
        if found is not self.last and found is not None:
            self.last = found
            with suppress(KeyError):  # another thread has just dropped it
                self.move_to_end(key)
        return found

    def keep(self, key: tuple, value: T) -> T:
        """The value, kept; the one that was asked for longest ago goes."""
        self[key] = self.last = value
        while len(self) > MOST:
            self.popitem(last=False)
        return value
