"""What the Fixup half raises."""


class FixupError(ValueError):
    """An argument or a network that cannot be used: the message names it and the mend."""
