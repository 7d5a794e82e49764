"""The axes to draw on."""

from typing import TYPE_CHECKING

from curate.errors import CurateError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, BROWN, GREY, LIGHT = "#20639b", "#c07a24", "#6b7076", "#c9ced3"


def canvas(ax: "Axes | None", width: float = 5.6, height: float = 4.0) -> "Axes":
    """The axes that were given; None: those of a new figure, which belongs to no window.

    Raises:
        CurateError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise CurateError(
            "matplotlib: not installed; pip install 'curate-data[plot]' brings it"
        ) from error
    if ax is None:
        ax = Figure(figsize=(width, height), layout="constrained").add_subplot()
    return ax
