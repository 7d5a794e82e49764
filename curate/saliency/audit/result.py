"""What an audit of explanations found."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from torch import Tensor

from curate.notebook import Shown
from curate.saliency.attacks.result import Attacked
from curate.saliency.maps.scores import pixel_scores
from curate.stats import generator, percentile_interval
from curate.table import describe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_RESAMPLES = 2000

_NAMES = {
    "spearman": "Spearman's ρ after the attack",
    "random_spearman": "  after random signs",
    "topk": "top pixels kept",
    "random_topk": "  after random signs",
    "shift": "centre of mass moved (pixels)",
    "random_shift": "  after random signs",
    "kendall": "Kendall's τ after the attack",
    "ssim": "SSIM after the attack",
    "max_sensitivity_sampled": "max-sensitivity, sampled",
    "max_sensitivity_attacked": "max-sensitivity, attacked",
    "randomised_spearman": "control: ρ with random weights",
    "deletion": "control: area deleting (low is good)",
    "insertion": "control: area inserting (high is good)",
    "certified_share": "pixels certified",
}


@dataclass(frozen=True, eq=False, repr=False)
class Fragility(Shown):
    """Explanations under attack, one row per image.

    Attributes:
        table: example_id, fragility_spearman (1 - ρ), fragility_topk (the share of the top pixels
            that is lost), fragility_shift (pixels that the centre of mass moved), certified_share;
            high fragility = fragile. Null: the prediction was wrong, or no perturbation kept it.
        details: every measure of every image: spearman, kendall, topk, shift, ssim, the same after
            random signs, the controls, max-sensitivity sampled and attacked, certified shares.
        summary: mean of every measure, with its 95 % interval over images (bootstrap), and of how
            many images.
        method: that was attacked.
        epsilon: largest change of a pixel.
        k: top pixels.
        rows: int64, which images were attacked.
        images: the attacked ones before the attack.
        maps: theirs.
        attacked: what the attack found.
    """

    table: pa.Table
    details: pa.Table
    summary: pa.Table
    method: str
    epsilon: float
    k: int
    rows: np.ndarray
    images: Tensor
    maps: Tensor
    attacked: Attacked

    @staticmethod
    def of(
        method: str,
        epsilon: float,
        k: int,
        ids: np.ndarray | list[str],
        rows: Tensor,
        measures: dict[str, np.ndarray],
        images: Tensor,
        maps: Tensor,
        attacked: Attacked,
    ) -> "Fragility":
        """Tables of measures (float64 (m,) each) of the m images ``rows`` of n ids."""
        places = rows.cpu().numpy()
        whole = {}
        for name, values in measures.items():
            spread = np.full(len(ids), np.nan)
            spread[places] = values
            whole[name] = pa.array(spread, from_pandas=True)
        fragile = {
            "fragility_spearman": 1 - _plain(whole["spearman"]),
            "fragility_topk": 1 - _plain(whole["topk"]),
            "fragility_shift": _plain(whole["shift"]),
        }
        columns = {name: pa.array(values, from_pandas=True) for name, values in fragile.items()}
        columns |= {name: values for name, values in whole.items() if name.startswith("certified")}
        table = describe(pa.table({"example_id": pa.array(ids), **columns}))
        details = pa.table({"example_id": pa.array(ids), **whole})
        summary = _summary(measures)
        return Fragility(
            table, details, summary, method, epsilon, k, places, images, maps, attacked
        )

    def __repr__(self) -> str:
        means = {row["measure"]: row["mean"] for row in self.summary.to_pylist()}
        return (
            f"Fragility({self.method}, {len(self.rows)} images, ε={self.epsilon:.3g}, "
            f"ρ={_number(means['spearman'])}, top {self.k} kept {_number(means['topk'])})"
        )

    def __str__(self) -> str:
        lost = len(self.rows) - int(self.attacked.found.sum())
        lines = [
            f"{self.method}, {len(self.rows)} of {len(self.table)} images, {self.attacked.name}, "
            f"ε={self.epsilon:.3g}, top {self.k}: mean and 95 % interval over images"
        ]
        known = {row["measure"]: row for row in self.summary.to_pylist()}
        order = [name for name in _NAMES if name in known]
        order += [name for name in known if name.startswith("certified_share_")]
        for name in order:
            row = known[name]
            title = _NAMES.get(name, f"pixels certified at σ {name.rpartition('_')[2]}")
            interval = f"{_number(row['low'])} to {_number(row['high'])}"
            lines.append(f"{title:38} {_number(row['mean']):>7}  {interval}")
        if lost:
            lines.append(f"Of {lost} images nothing that was tried keeps the prediction.")
        return "\n".join(lines)

    def plot(self, count: int = 6) -> "Figure":
        """Image, map, perturbed image, its map and the difference, one row per image.

        Args:
            count: images, the first ones.

        Raises:
            CurateError: matplotlib is not installed.
        """
        from curate.plot import plot_maps

        shown = range(min(count, len(self.images)))
        before, after = (
            pixel_scores(maps).cpu().numpy() for maps in (self.maps, self.attacked.maps)
        )
        details = self.details.take(self.rows).to_pylist()
        texts = [
            f"ρ {_number(row['spearman'])}, top {self.k} kept {_number(row['topk'])}\n"
            f"ρ with random weights {_number(row['randomised_spearman'])}"
            for row in details
        ]
        return plot_maps(
            self.images[: len(shown)].cpu().numpy(),
            before[: len(shown)],
            self.attacked.images[: len(shown)].cpu().numpy(),
            after[: len(shown)],
            texts[: len(shown)],
        )


def _summary(measures: dict[str, np.ndarray]) -> pa.Table:
    rows = []
    for name, values in measures.items():
        known = values[~np.isnan(values)]
        low = high = mean = None
        if len(known):
            mean = float(known.mean())
            draws = generator(0).integers(len(known), size=(_RESAMPLES, len(known)))
            low, high = percentile_interval(known[draws].mean(1).tolist())
        rows.append({"measure": name, "mean": mean, "low": low, "high": high, "images": len(known)})
    types = [("measure", pa.string()), *((name, pa.float64()) for name in ("mean", "low", "high"))]
    return pa.Table.from_pylist(rows, schema=pa.schema([*types, ("images", pa.int64())]))


def _plain(column: pa.Array) -> np.ndarray:
    return column.to_numpy(zero_copy_only=False)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
