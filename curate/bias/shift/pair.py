"""Two sets as arrays of the same features, tables that were opened by themselves too."""

from typing import Any

from curate.bias.sources.columns import aligned
from curate.bias.sources.source import Source
from curate.features.pair import Pair, as_pair


def pair_of(x: Any, y: Any) -> Pair:
    """As :func:`curate.features.pair.as_pair`; two tables are matched by the names of columns.

    Tables that one call of :func:`curate.bias.as_sources` opened have the same features already;
    of tables opened one by one, the words become categories of both only here.

    Raises:
        CurateError: other shapes or types, tables without a column in common, too few examples,
            values that are not finite.
    """
    if isinstance(x, Source) and isinstance(y, Source):
        x, y = aligned([x, y])
    return as_pair(x, y)
