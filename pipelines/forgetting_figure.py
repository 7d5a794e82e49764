"""What the kept runs say of example forgetting, in one picture (docs/forgetting.svg).

    python pipelines/forgetting_figure.py [--out forgetting.svg]

From ``benchmarks/results/``: the share of examples never forgotten so far, by epoch
(``forgetting_mnist.py``, ``forgetting_epochs.py``); the test error that is added when the least
forgotten examples go, or as many at random (``removal_mnist.py``, ``benchmarks/removal.py``); and
the accuracy that each tenth of CIFAR-10 is worth (``forgetting_blocks.py``).
"""

import argparse
from collections import defaultdict
from pathlib import Path

import matplotlib
import numpy as np
from forgetting_epochs import RESULTS, by_epoch, tables_of
from pyarrow import parquet
from removal_mnist import bits_of
from scipy.stats import t

matplotlib.use("agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

SETS = {"mnist": "MNIST", "permuted-mnist": "permuted MNIST", "cifar10": "CIFAR-10"}
RECORDED = {"mnist": "mnist", "permuted-mnist": "permuted-mnist", "cifar10": "cifar10-cnn"}
COLORS = dict(zip(SETS, ("tab:blue", "tab:orange", "tab:green"), strict=True))
# Toneva et al., Figure 5: points of test error added on CIFAR-10, by the percentage removed
PAPER = {0: 0.0, 10: -0.04, 20: 0.01, 30: 0.12, 40: 0.26, 50: 0.76, 60: 1.83}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--out", type=Path, default=Path("forgetting.svg"))
    options = parser.parse_args()
    plt.rcParams |= {"svg.hashsalt": "forgetting", "svg.fonttype": "none"}
    figure, axes = plt.subplots(1, 3, figsize=(13, 3.8), layout="constrained")
    draw_shares(axes[0], options.results)
    draw_removal(axes[1], options.results)
    draw_blocks(axes[2], options.results)
    figure.savefig(options.out, metadata={"Date": None})
    print(f"the picture: {options.out}")


def draw_shares(axes: Axes, folder: Path) -> None:
    """Learned and not forgotten so far, by epoch: the mean of all runs."""
    for name, label in SETS.items():
        shares = [
            by_epoch(path, "unforgettable_by_epoch") for path in tables_of(folder, RECORDED[name])
        ]
        if shares:
            mean = 100 * np.mean([run[: min(map(len, shares))] for run in shares], 0)
            axes.plot(range(1, len(mean) + 1), mean, color=COLORS[name], label=label)
    axes.set(xscale="log", xlabel="epoch", ylabel="never forgotten so far, % of examples")
    axes.legend()


def draw_removal(axes: Axes, folder: Path) -> None:
    """Points of test error added, by the percentage removed; the means of seeds."""
    for name, label in SETS.items():
        added = cifar10_added(folder) if name == "cifar10" else mnist_added(folder, name)
        for arm, style in (("forgetting", "o-"), ("random", "x--")):
            points = sorted(
                (removed, mean) for (kind, removed), mean in added.items() if kind == arm
            )
            said = f"{label}, {'least forgotten' if arm == 'forgetting' else 'at random'}"
            axes.plot(*zip((0, 0), *points, strict=True), style, color=COLORS[name], label=said)
    axes.plot(list(PAPER), list(PAPER.values()), ":", color="gray", label="CIFAR-10, the paper")
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set(xlabel="removed, % of examples", ylabel="test error added, points", ylim=(-0.6, 3.6))
    axes.legend(fontsize="x-small")


def mnist_added(folder: Path, name: str) -> dict[tuple[str, int], float]:
    """By arm and percentage removed, at equal epochs."""
    runs = tables_of(folder, name)
    full = [bits_of(parquet.read_schema(path).metadata[b"right"]) for path in runs]
    added = defaultdict(list)
    for row in parquet.read_table(folder / f"removal-{name}-epochs200.parquet").to_pylist():
        removed = round(100 * (1 - row["examples"] / 60_000))
        lost = full[row["seed"]].mean() - bits_of(row["right"]).mean()
        added[row["arm"], removed].append(100 * lost)
    return {key: float(np.mean(points)) for key, points in added.items()}


def cifar10_added(folder: Path) -> dict[tuple[str, int], float]:
    """The same at equal steps, by the score that was best at each size; arms of several seeds."""
    rows = parquet.read_table(folder / "removal-cifar10.parquet").to_pylist()
    accuracy = {(row["arm"], row["seed"]): bits_of(row["right"]).mean() for row in rows}
    lost = defaultdict(list)
    for (arm, seed), found in accuracy.items():
        lost[arm].append(100 * (accuracy["all", seed] - found))
    added: dict[tuple[str, int], float] = {}
    for arm, points in lost.items():
        by, _, count = arm.partition("-")
        if arm != "all" and len(points) > 1:
            key = ("random" if by == "random" else "forgetting", 100 - int(count) // 500)
            added[key] = min(added.get(key, np.inf), float(np.mean(points)))
    return added


def draw_blocks(axes: Axes, folder: Path) -> None:
    """Points of accuracy that leaving out each block costs, with 95 % intervals over seeds."""
    rows = parquet.read_table(folder / "blocks-cifar10.parquet").to_pylist()
    lost = defaultdict(list)
    for row in rows:
        lost[row["block"]].append(row["lost"])
    mean = {name: np.mean(points) for name, points in lost.items()}
    half = {
        name: t.ppf(0.975, len(points) - 1) * np.std(points, ddof=1) / len(points) ** 0.5
        for name, points in lost.items()
    }
    blocks = [name for name in lost if name != "random"]
    axes.bar(
        blocks, [mean[name] for name in blocks], yerr=[half[name] for name in blocks],
        color=COLORS["cifar10"], ecolor="gray", capsize=2,
    )  # fmt: skip
    axes.axhline(mean["random"], color="black", linestyle="--", label="as many at random")
    axes.set(
        xlabel="block of 5,000 left out, the least forgotten first",
        ylabel="accuracy lost, points", ylim=(-0.3, 1.4),
    )  # fmt: skip
    axes.legend()


if __name__ == "__main__":
    main()
