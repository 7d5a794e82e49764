"""A node with the variables that it was declared over: what the operators work on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curate.calculus.graph.flat import flattened, restored
from curate.calculus.graph.node import Dim, Node
from curate.calculus.graph.sizes import Reason, shown
from curate.calculus.recent import Recent
from curate.calculus.rules.structure import with_symmetry
from curate.calculus.show.render import shortened, text_of


class Scoped:
    """Plain data; `Expression` adds the operators and methods.

    Attributes:
        node: the graph.
        scope: every variable of the expression, also those that a derivative no longer reads.
        reasons: why sizes are equal, for messages.
        columns: how many of the last axes belong to the last variable differentiated by; None
            where this is no derivative.
        programs: compiled structured programs by shapes.
    """

    def __init__(
        self,
        node: Node,
        scope: Mapping[str, Node],
        reasons: tuple[Reason, ...] = (),
        columns: int | None = None,
    ) -> None:
        self.node, self.scope, self.reasons, self.columns = node, dict(scope), reasons, columns
        self.programs: Recent[Any] = Recent()

    @property
    def shape(self) -> tuple[Dim, ...]:
        """A symbol (or number, where known) per axis."""
        return self.node.shape

    @property
    def order(self) -> int:
        """The number of axes."""
        return self.node.order

    ndim = order

    def with_node(self, node: Node) -> Scoped:
        """Another node over the same variables."""
        return Scoped(node, self.scope, self.reasons)

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: the graph as a list, without derivatives and programs made so far."""
        names = list(self.scope)
        flat, places = flattened(self.node, *self.scope.values())
        return {"flat": flat, "places": places, "names": names, "reasons": self.reasons,
                "columns": self.columns}  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        node, *variables = restored(state["flat"], state["places"])
        scope = dict(zip(state["names"], variables, strict=True))
        self.__init__(node, scope, state["reasons"], state["columns"])  # type: ignore[misc]

    def __str__(self) -> str:
        return text_of(with_symmetry(self.node))

    def __repr__(self) -> str:
        end = f", shape={shown(self.shape)})"
        name = type(self).__name__
        return f"{name}({shortened(str(self), 98 - len(name) - len(end))}{end}"
