"""What the calculus raises for input that it cannot accept."""

import keyword
from collections.abc import Iterable

from numpy.linalg import LinAlgError

from curate.errors import CurateError

_NUMBERS = (
    "lambda", "pi", "mu", "nu", "rho", "sigma", "tau", "theta", "omega", "phi", "psi", "kappa",
)  # fmt: skip


def number_hint(vectors: Iterable[str]) -> str:
    """The cure, where a vector has the name that is usual for a number."""
    for name in vectors:
        if name.rstrip("_0123456789") in _NUMBERS:
            written = f"{name}_" if keyword.iskeyword(name) else name
            return (
                f"; {name} is a vector, as names that begin with h to z are: if it is a number, "
                f"declare {written}='scalar'"
            )
    return ""


class CalculusError(CurateError):
    """An expression, a declaration or a value that cannot be used; says how to fix it."""


class SingularError(CalculusError, LinAlgError):
    """A matrix that has to be inverted or factored and cannot be; numpy's LinAlgError, too.

    Line searches step back at a LinAlgError.
    """


class ParseError(CalculusError):
    """A text that is not an expression; the message points at the character.

    Attributes:
        position: offset of that character in the text, from 0.
    """

    def __init__(self, message: str, text: str, position: int) -> None:
        self.position = position
        line = text.replace("\n", " ")
        super().__init__(f"{message} (at character {position + 1})\n  {line}\n  {' ' * position}^")


class ShapeError(CalculusError):
    """Shapes of operands that do not fit each other, or values that do not fit the expression."""
