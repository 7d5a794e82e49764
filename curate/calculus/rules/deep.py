"""Deep compositions: accumulation layer by layer (the paper's cross-country mode).

Where every path from a scalar f to the variable runs through nodes u_1, ..., u_L (the arguments
of elementwise maps, as in a net), the gradient g and the Hessian H by u_l give those by the next:
g' = g J and H' = J' H J + g K, with J and K the first and second derivative of u_l by u_(l+1).
Partials of the lowest order come first, and each is made opaque: products do not inline it.
"""

from __future__ import annotations

from curate.calculus.graph.algebra import einsum
from curate.calculus.graph.node import Node, intern, walk
from curate.calculus.graph.sums import total
from curate.calculus.rules.derive import derivative
from curate.calculus.rules.germs.cancelling import without_poles
from curate.calculus.rules.germs.even import smooth_norms
from curate.calculus.rules.singular import regularised

_LEAST_LAYERS = 3


def first_derivative(node: Node, variable: Node) -> Node:
    """The derivative of a node by a variable."""
    node = smooth_norms(without_poles(node))
    cuts = _cuts(node, variable) if node.order == 0 else []
    if len(cuts) < _LEAST_LAYERS:
        return regularised(derivative(node, variable), first=True)
    above, slope = node, scalar_one()
    for cut in (*cuts, variable):
        slopes = regularised(derivative(above, cut), first=True)
        slope = opaque(_through(slope, slopes, above, cut))
        above = cut
    return slope


def higher_derivative(node: Node, variable: Node) -> Node:
    """The derivative of a derivative."""
    return regularised(derivative(node, variable), first=False)


def second_derivative(node: Node, variable: Node) -> Node:
    """The second derivative of a scalar by one variable."""
    node = smooth_norms(without_poles(node))
    cuts = _cuts(node, variable)
    if len(cuts) < _LEAST_LAYERS:
        return higher_derivative(first_derivative(node, variable), variable)
    first = regularised(derivative(node, cuts[0]), first=True)
    slope = opaque(first)
    curvature = opaque(higher_derivative(first, cuts[0]))
    for above, cut in zip(cuts, (*cuts[1:], variable), strict=True):
        slopes = regularised(derivative(above, cut), first=True)
        jacobian = slopes if cut is variable else opaque(slopes)  # as it is read twice
        rows = tuple(range(above.order))
        rows_too = tuple(i + above.order for i in rows)
        axes = tuple(range(2 * above.order, 2 * above.order + cut.order))
        axes_too = tuple(i + cut.order for i in axes)
        shape = cut.shape + cut.shape
        quadratic = einsum(
            shape,
            axes + axes_too,
            (jacobian, rows + axes),
            (curvature, rows + rows_too),
            (jacobian, rows_too + axes_too),
        )
        bend = higher_derivative(slopes, cut)
        linear = einsum(shape, axes + axes_too, (slope, rows), (bend, rows + axes + axes_too))
        curvature = total(shape, (*quadratic.terms, *linear.terms))
        if cut is not variable:
            curvature = opaque(curvature)
            slope = opaque(_through(slope, slopes, above, cut))
    return curvature


def scalar_one() -> Node:
    """The derivative of a scalar by itself."""
    return total((), [(1, (), ())])


def _through(slope: Node, jacobian: Node, above: Node, cut: Node) -> Node:
    rows = tuple(range(above.order))
    axes = tuple(range(above.order, above.order + cut.order))
    return einsum(cut.shape, axes, (slope, rows), (jacobian, rows + axes))


def _cuts(root: Node, variable: Node) -> list[Node]:
    """The map arguments that every path from the root to the variable runs through, root first."""
    order = walk(root)
    if variable not in order:
        return []
    reaches: set[Node] = set()
    for node in order:
        if node is variable or any(operand in reaches for operand in node.operands):
            reaches.add(node)
    through: dict[Node, frozenset[Node]] = {root: frozenset([root])}
    for node in reversed(order):
        if node not in through:
            continue
        for operand in set(node.operands) & reaches:
            path = through[node] | {operand}
            through[operand] = (through[operand] & path | {operand}) if operand in through else path
    arguments = {
        node.args[0] for node in order if node.kind == "map" and len(node.args) == 1 and node.order
    }
    place = {node: k for k, node in enumerate(order)}
    found = [n for n in through[variable] if n in arguments and n.kind == "sum" and n is not root]
    return sorted(found, key=lambda node: -place[node])


def opaque(node: Node) -> Node:
    """Wrap a node so that products do not inline it; unit tensors are kept outside."""
    if node.kind != "sum" or not node.data or not any(term.factors for term in node.data):
        return node
    axes = range(node.order)
    same = [
        min(j for j in axes if all(t.out[j] == t.out[axis] for t in node.data)) for axis in axes
    ]
    kept = tuple(axis for axis in axes if same[axis] == axis)
    core = total(
        tuple(node.shape[axis] for axis in kept),
        ((c, factors, tuple(out[axis] for axis in kept)) for c, factors, out in node.data),
    )
    if core.kind != "sum":
        return node
    value = intern("opaque", core.shape, (core,))
    return einsum(node.shape, tuple(same), (value, kept))
