"""Fragility against ε, in the layout of the paper's figures 3 and 4."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from torch import Tensor, nn

from curate.errors import CurateError
from curate.saliency.attacks.baselines import random_signs
from curate.saliency.attacks.iterative import iterative_attack
from curate.saliency.audit._fragility import _agreement
from curate.saliency.audit.result import _summary
from curate.saliency.engine.checks import prepare
from curate.saliency.engine.net import Normalise
from curate.saliency.methods import explainer, maps_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class FragilityCurve:
    """Attacks of growing ε.

    Attributes:
        table: one row per method, attack, ε and measure: method, attack, epsilon, measure, mean,
            low, high, images.
        k: top pixels.
    """

    table: pa.Table
    k: int

    def __repr__(self) -> str:
        methods = len(set(self.table["method"].to_pylist()))
        return f"FragilityCurve({methods} methods, {len(self.table)} rows)"

    def __str__(self) -> str:
        lines = [f"{'method':22} {'attack':18} {'ε':>7}  {'ρ':>6}  {'top kept':>8}  {'shift':>6}"]
        rows: dict[tuple, dict[str, float | None]] = {}
        for row in self.table.to_pylist():
            key = (row["method"], row["attack"], row["epsilon"])
            rows.setdefault(key, {})[row["measure"]] = row["mean"]
        for (method, attack, epsilon), means in rows.items():
            shown = (
                "–" if means[name] is None else f"{means[name]:.3f}"
                for name in ("spearman", "topk", "shift")
            )
            a, b, c = shown
            lines.append(f"{method:22} {attack:18} {epsilon:7.4f}  {a:>6}  {b:>8}  {c:>6}")
        return "\n".join(lines)

    def plot(self) -> "Figure":
        """Spearman's ρ and the top pixels kept against ε, one panel per method.

        Raises:
            CurateError: matplotlib is not installed.
        """
        from curate.plot import plot_fragility

        return plot_fragility(self.table)


def fragility_curve(
    model: nn.Module,
    images: Tensor,
    methods: Sequence[str] = ("gradient", "deeplift", "integrated_gradients"),
    *,
    epsilons: Sequence[float] | None = None,
    objectives: Sequence[str] = ("topk", "centre"),
    k: int = 100,
    iterations: int = 300,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int = 0,
    bounds: tuple[float, float] = (0, 1),
    normalise: Normalise = None,
    chunk: int = 64,
) -> FragilityCurve:
    """What is left of each method's maps as ε grows, beside random signs.

    Args:
        model, images, bounds, normalise, chunk: as in :func:`gradient`.
        methods: names of ``METHODS``.
        epsilons: largest changes of a pixel; None: 1, 2, 4 and 8/255 of the bounds' range.
        objectives: of :func:`iterative_attack`.
        k, iterations, seed: as in :func:`iterative_attack`.
        options: of each method, by its name.

    Raises:
        CurateError: as :func:`iterative_attack`, or no ε, method or objective.
    """
    if epsilons is None:
        epsilons = [level / 255 * (bounds[1] - bounds[0]) for level in (1, 2, 4, 8)]
    for name, given in (("epsilons", epsilons), ("methods", methods), ("objectives", objectives)):
        if not len(given):
            raise CurateError(f"{name}: there are none; give at least one")
    shared: dict[str, Any] = {"bounds": bounds, "normalise": normalise, "chunk": chunk}
    net, target = prepare(model, images, None, softplus_beta=None, **shared)
    rows = []
    for method in methods:
        own = dict((options or {}).get(method, {}))
        maps = maps_of(explainer(method, own), net, images, target)
        terms = {"k": k, "options": own, "seed": seed, **shared}
        for epsilon in epsilons:
            found = {
                "random signs": random_signs(
                    model, images, method, target, epsilon=epsilon, **terms
                )
            }
            for objective in objectives:
                found[objective] = iterative_attack(
                    model,
                    images,
                    method,
                    target,
                    objective=objective,
                    epsilon=epsilon,
                    iterations=iterations,
                    **terms,
                )
            for attack, attacked in found.items():
                for row in _summary(_agreement("", maps, attacked, k)).to_pylist():
                    rows.append({"method": method, "attack": attack, "epsilon": epsilon, **row})
    return FragilityCurve(pa.Table.from_pylist(rows), k)
