"""Saliency maps side by side, and their fragility against ε."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import CurateError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TITLES = ("image", "its map", "perturbed", "its map", "difference")
_COLOURS = ("#6b7076", "#20639b", "#c0392b", "#2e8b57")


def plot_maps(
    images: np.ndarray,
    maps: np.ndarray,
    perturbed: np.ndarray,
    perturbed_maps: np.ndarray,
    texts: Sequence[str] = (),
) -> "Figure":
    """Image, map, perturbed image, its map, and the difference of the maps; one row per image.

    Args:
        images: (n, C, H, W) of 1 or 3 channels.
        maps: scores of pixels, (n, H, W); each is shown from 0 to its 99th percentile.
        perturbed: as ``images``.
        perturbed_maps: as ``maps``.
        texts: of each row, beside it.

    Raises:
        CurateError: matplotlib is not installed.
    """
    figure = _figure((8.5, 1.75 * len(images)))
    axes = figure.subplots(len(images), 5, squeeze=False)
    low, high = float(images.min()), float(images.max())
    for row in range(len(images)):
        before, after = (_scaled(values[row]) for values in (maps, perturbed_maps))
        pictures = [images[row], before, perturbed[row], after, after - before]
        for place, picture in enumerate(pictures):
            panel = axes[row, place]
            _show(panel, picture, low, high, difference=place == 4)
            if not row:
                panel.set_title(_TITLES[place], fontsize=9)
        if row < len(texts):
            axes[row, 0].set_ylabel(texts[row], fontsize=6)
    return figure


def plot_fragility(table: pa.Table) -> "Figure":
    """Spearman's ρ (above) and the top pixels kept (below) against ε, one column per method.

    Args:
        table: columns method, attack, epsilon, measure, mean, low, high.

    Raises:
        CurateError: matplotlib is not installed.
    """
    methods = list(dict.fromkeys(table["method"].to_pylist()))
    attacks = list(dict.fromkeys(table["attack"].to_pylist()))
    figure = _figure((2.9 * len(methods), 4.6))
    axes = figure.subplots(2, len(methods), squeeze=False, sharex=True, sharey="row")
    panels = [(0, "spearman", "Spearman's ρ"), (1, "topk", "top pixels kept")]
    for column, method in enumerate(methods):
        axes[0, column].set_title(method, fontsize=9)
        axes[1, column].set_xlabel("ε")
        for row, measure, title in panels:
            axes[row, 0].set_ylabel(title)
            for attack, colour in zip(attacks, _COLOURS, strict=False):
                keep = pc.and_(pc.equal(table["method"], method), pc.equal(table["attack"], attack))
                keep = pc.and_(keep, pc.equal(table["measure"], measure))
                rows = table.filter(keep).sort_by("epsilon")
                at, mean, low, high = (
                    rows[name].to_numpy() for name in ("epsilon", "mean", "low", "high")
                )
                axes[row, column].plot(at, mean, color=colour, marker="o", ms=3, label=attack)
                axes[row, column].fill_between(at, low, high, color=colour, alpha=0.15, lw=0)
    axes[0, 0].legend(frameon=False, fontsize=8)
    return figure


def _figure(size: tuple[float, float]) -> "Figure":
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise CurateError(
            "matplotlib: not installed; pip install 'curate-data[plot]' brings it"
        ) from error
    return Figure(figsize=size, layout="constrained")


def _scaled(scores: np.ndarray) -> np.ndarray:
    most = float(np.quantile(scores, 0.99)) or 1.0
    return np.clip(scores / most, 0, 1)


def _show(panel: Any, picture: np.ndarray, low: float, high: float, difference: bool) -> None:
    panel.set_xticks([])
    panel.set_yticks([])
    if difference:
        panel.imshow(picture, cmap="RdBu_r", vmin=-1, vmax=1)
    elif picture.ndim == 2:
        panel.imshow(picture, cmap="inferno", vmin=0, vmax=1)
    else:
        shown = (picture.transpose(1, 2, 0) - low) / ((high - low) or 1)
        shown = shown[:, :, 0] if shown.shape[2] == 1 else shown
        panel.imshow(np.clip(shown, 0, 1), cmap="gray")
