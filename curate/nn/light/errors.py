"""What the light convolutions raise."""

from curate.errors import CurateError


class LightConvError(CurateError):
    """An argument that cannot be used: the message names it, its value and how to fix it."""
