"""What the light convolutions raise."""


class LightConvError(ValueError):
    """An argument that cannot be used: the message names it, its value and the mend."""
