"""What Fixup raises for an argument or a network that it cannot use."""

from curate.errors import CurateError


class FixupError(CurateError):
    """An argument or a network that cannot be used: the message names it and how to fix it."""


def quoted(names: list[str]) -> str:
    """Names for a message, the first eight of them."""
    shown = ", ".join(repr(name) for name in names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown or "none"
