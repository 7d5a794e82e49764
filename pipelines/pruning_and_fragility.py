"""Are forgotten examples the fragile ones? Does pruning make explanations more fragile?

    python pipelines/pruning_and_fragility.py RUN [--dataset digits] [--tables FILE …]

RUN is the folder of a ``curate run``, or any folder that kept its networks. Two questions about
the paper's attack on simple gradients (Ghorbani et al., AAAI 2019):

1. the same number of training examples is drawn from each level of forgetting events, and the
   maps of one network are attacked: how fragile is each level, and what is the rank correlation
   with forgetting events, margins and EL2N?
2. the same test images are explained by the networks of every arm, those that all of them get
   right: how fragile is each arm, and by how much more than the networks of all examples?

Means of images with 95 % bootstrap intervals; a picture and a table in --out.
"""

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from rich.console import Console
from rich.table import Table
from scipy.stats import bootstrap, spearmanr

import curate
from curate.files import atomic_path
from curate.saliency import fragility
from curate.train import load_model

LEVELS = {"never": (0, 0), "once": (1, 1), "twice": (2, 2), "3 to 5 times": (3, 5)}
LEVELS["more often"] = (6, 2**31)
COLUMNS = ("forgetting_events", "margin_mean", "el2n_mean")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--data", help="folder with local copies of mnist and cifar10")
    parser.add_argument("--tables", type=Path, nargs="*", help="RUN/seeds/seed=*/examples.parquet")
    parser.add_argument("--arm", help="whose network the first question asks; all, or the first")
    parser.add_argument("--images", type=int, default=250, help="of each question")
    parser.add_argument("--iterations", type=int, default=50)
    parser.add_argument("--out", type=Path, default=Path("runs/pruning_and_fragility"))
    options = parser.parse_args()
    nets = networks(options.run)
    options.out.mkdir(parents=True, exist_ok=True)

    tables = options.tables or sorted(options.run.glob("seeds/seed=*/examples.parquet"))
    merged = curate.merge([curate.read(path) for path in tables])
    train_set = curate.data.load(options.dataset, "train", options.data)
    arms = sorted({arm for arm, _ in nets})
    arm = options.arm or ("all" if "all" in arms else arms[0])
    seed = min(seed for other, seed in nets if other == arm)
    forgotten = by_level(nets[arm, seed], train_set, merged, options)
    with atomic_path(options.out / "forgotten.parquet") as path:
        curate.write(forgotten, path)
    print_levels(forgotten, f"{arm}, seed {seed}", options.out / "forgotten.svg")

    test_set = curate.data.load(options.dataset, "test", options.data)
    by_arm = of_arms(nets, test_set, options)
    print_arms(by_arm)


def networks(folder: Path) -> dict[tuple[str, int], curate.train.Trained]:
    found = {}
    for path in sorted(folder.glob("models/arm=*/seed=*.pt")):
        arm, seed = path.parent.name.removeprefix("arm="), int(path.stem.removeprefix("seed="))
        found[arm, seed] = load_model(folder, arm, seed)
    if not found:
        raise SystemExit(f"no networks in {folder}/models: name a run that kept them")
    return found


def attacked(net, examples, rows: np.ndarray, iterations: int) -> pa.Table:
    """``fragility_*`` of these rows; null where the network is wrong."""
    images = torch.stack([examples[row][0] for row in rows.tolist()])
    side = examples.shape[1] * examples.shape[2]
    return fragility(
        net.model.eval(),
        images,
        "gradient",
        example_ids=[examples.ids[row] for row in rows.tolist()],
        labels=torch.from_numpy(examples.labels[rows]),
        wrong="skip",
        k=max(1, min(100, side // 10)),
        iterations=iterations,
        certify=(),
        normalise=None if net.normalise is None else lambda pixels: net.normalise(pixels * 255),
    ).table


def by_level(net, train_set, merged: pa.Table, options: argparse.Namespace) -> pa.Table:
    """As many examples of each level that there is, attacked, beside their training."""
    row_of = {example: row for row, example in enumerate(train_set.ids)}
    rows = np.array([row_of[example] for example in merged["example_id"].to_pylist()])
    events = merged["forgetting_events"].to_numpy()
    rng = np.random.default_rng(0)
    chosen = [
        rng.permutation(np.flatnonzero((events >= low) & (events <= high)))
        for low, high in LEVELS.values()
    ]
    each = options.images // max(1, sum(len(level) > 0 for level in chosen))
    chosen = np.sort(np.concatenate([level[:each] for level in chosen]))
    table = attacked(net, train_set, rows[chosen], options.iterations)
    wanted = merged.select(["example_id", *COLUMNS]).take(pa.array(chosen))
    return curate.join(wanted, table)


def print_levels(table: pa.Table, net: str, picture: Path) -> None:
    console = Console(highlight=False)
    known = table.filter(pa.compute.is_valid(table["fragility_topk"]))
    events, lost = (known[name].to_numpy() for name in ("forgetting_events", "fragility_topk"))
    shown = Table("forgotten", "examples", "top pixels lost", title=f"simple gradients of {net}")
    bars = []
    for name, (low, high) in LEVELS.items():
        values = lost[(events >= low) & (events <= high)]
        if len(values) > 1:
            bars.append((name, *interval(values)))
            shown.add_row(name, str(len(values)), text(bars[-1][1:]))
    console.print(shown)
    for name in COLUMNS:
        rho = spearmanr(known[name].to_numpy(), lost)
        console.print(f"rank correlation with {name}: {rho.statistic:+.2f} (p = {rho.pvalue:.1g})")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5, 3), layout="constrained")
    middle, low, high = (np.array([bar[place] for bar in bars]) for place in (1, 2, 3))
    names = [bar[0] for bar in bars]
    axes.errorbar(names, 100 * middle, 100 * np.array([middle - low, high - middle]), fmt="o")
    axes.set(xlabel="forgotten in training", ylabel="top pixels lost, %")
    figure.savefig(picture)
    console.print(f"picture: {picture}")


def of_arms(nets: dict, test_set, options: argparse.Namespace) -> dict[str, np.ndarray]:
    """(images,) of each arm: the mean over its seeds, for images that all networks get right."""
    rows = np.sort(np.random.default_rng(1).permutation(len(test_set))[: options.images])
    by_net = {
        key: attacked(net, test_set, rows, options.iterations)["fragility_topk"].to_numpy(
            zero_copy_only=False
        )
        for key, net in nets.items()
    }
    right = np.isfinite(np.stack(list(by_net.values())).astype(float)).all(0)
    arms: dict[str, list[np.ndarray]] = {}
    for (arm, _), values in by_net.items():
        arms.setdefault(arm, []).append(values[right].astype(float))
    return {arm: np.mean(values, 0) for arm, values in arms.items()}


def print_arms(by_arm: dict[str, np.ndarray]) -> None:
    first = "all" if "all" in by_arm else sorted(by_arm)[0]
    images = len(by_arm[first])
    shown = Table("arm", "top pixels lost", f"more than {first}", title=f"{images} test images")
    for arm, values in sorted(by_arm.items()):
        more = "" if arm == first else text(interval(values - by_arm[first]))
        shown.add_row(arm, text(interval(values)), more)
    Console(highlight=False).print(shown)


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """A mean and its 95 % bootstrap interval."""
    if np.ptp(values) == 0:
        return (float(values[0]),) * 3
    found = bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(0))
    low, high = found.confidence_interval
    return float(values.mean()), float(low), float(high)


def text(found: tuple[float, float, float]) -> str:
    middle, low, high = (100 * value for value in found)
    return f"{middle:.1f} % ({low:.1f} to {high:.1f})"


if __name__ == "__main__":
    main()
