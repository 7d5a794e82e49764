"""What Fixup raises for an argument or a network that it cannot use."""

from curate.errors import CurateError


class FixupError(CurateError):
    """An argument or a network that cannot be used: the message names it and how to fix it."""
