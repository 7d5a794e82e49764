"""The one root of every error that a user can fix."""

from collections.abc import Iterable


class CurateError(ValueError):
    """Input that cannot be used: the message names the parameter, the value and how to fix it.

    Every error of the library that a user can fix is one, those of ``curate.calculus`` and
    ``curate.nn`` too. The command line turns it into one sentence and exit code 2; anything else
    is a defect.
    """


class CurateWarning(UserWarning):
    """Something that was left out or done otherwise than asked, though the work goes on."""


def is_choice(value: object, choices: Iterable[str | None]) -> bool:
    """Whether a value is one of the names; no for what cannot be compared with one, as an array."""
    return (value is None or isinstance(value, str)) and value in tuple(choices)
