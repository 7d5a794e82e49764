"""The one exception that the library raises for input it cannot accept."""


class CurateError(ValueError):
    """Input that cannot be used: the message names the parameter, the value and the mend.

    The command line turns it into one sentence and exit code 2; anything else is a defect.
    """
