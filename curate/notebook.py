"""How a result is shown in a notebook."""

from html import escape


class Shown:
    """A result whose ``print`` is also what a notebook shows, escaped."""

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"
