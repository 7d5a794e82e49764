"""Do CIFAR-10 classifiers generalise to CIFAR-10.1? (Recht et al., 2018), from its predictions.

    python pipelines/cifar10_1.py [--data FOLDER] [--out FOLDER]

In the paper's order: how many images of which keyword the new set has (section 3), what 30 models
lose on it and whether their order holds (section 4), and whether class frequencies explain it
(section 5). And what came later: accuracy without the new labels, and how many images a fifth
test set would need.
"""

import argparse
import json
import os
from pathlib import Path

import pyarrow as pa

from curate.report import save_retest
from curate.retest import accuracy_by_agreement, accuracy_gap, images_needed, match, sample_sizes


def new_set(place: Path) -> None:
    """Section 3: the rule, and where the authors departed from it."""
    counts, taken, good = (
        json.loads((place / f"{name}.json").read_text())
        for name in (
            "keyword_counts_v4",
            "cifar10.1_v4_ti_indices_per_keyword",
            "tinyimage_good_indices_subselected_v4",
        )
    )
    sizes = sample_sizes(counts, 2000, "v4", total=60_000)
    chosen = {name: len(taken.get(name, [])) for name in sizes}
    print(f"v4's rule: {sum(sizes.values()):,} images; its authors took {sum(chosen.values()):,}")
    for name, size in sizes.items():
        if chosen[name] != size:
            print(
                f"  {name}: {counts[name]} of 60,000, rule {size}, taken {chosen[name]}, "
                f"candidates {len(good.get(name, []))}"
            )
    images = [(image, name) for name, found in good.items() for image in found]
    pool = pa.table({"example_id": [i for i, _ in images], "keyword": [k for _, k in images]})
    print(match(pool, counts, n=2000, rule="v4", total=60_000), end="\n\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder that holds cifar10.1-predictions/")
    parser.add_argument("--out", type=Path, default=Path("runs/cifar10_1"))
    arguments = parser.parse_args()
    place = Path(arguments.data or os.environ.get("CURATE_DATA", "")) / "cifar10.1-predictions"
    if not place.is_dir():
        raise SystemExit(f"no folder {place}: name the data by --data or CURATE_DATA")
    new_set(place)

    # Section 4: the main table.
    names = "original_test_predictions.parquet", "cifar10.1_v4_predictions.parquet"
    original, new = (place / name for name in names)
    gap = accuracy_gap(original, new)
    intervals = {(row["set"], row["model"]): row for row in gap.accuracies.to_pylist()}
    for row in gap.table.to_pylist():
        sides = [intervals[name, row["model"]] for name in ("original", "new")]
        cells = [
            f"{100 * s['accuracy']:.1f} [{100 * s['low']:.1f}, {100 * s['high']:.1f}]"
            for s in sides
        ]
        change = row["rank_original"] - row["rank_new"]
        print(
            f"{row['rank_original']:2}  {row['model']:34} {cells[0]}  {cells[1]}  "
            f"{100 * row['gap']:4.1f}  {row['rank_new']:2}  {change:+d}"
        )
    print(gap, end="\n\n")

    # Section 5: is it the class mix? v4 has 8 % ships.
    mixed = accuracy_gap(original, new, mix="original")
    with_mix, as_it_is = (100 * found.mean_gap[0] for found in (mixed, gap))
    print(
        f"Mean gap {as_it_is:.2f} points; with the original's class mix {with_mix:.2f}.", end="\n\n"
    )

    print(accuracy_by_agreement(original, new), end="\n\n")
    for drop in (0.01, 0.02, 0.04):
        n = images_needed(0.93, drop, original_images=10_000)
        print(f"A drop of {100 * drop:.0f} points from 93 % is shown by {n:,} new images.")
    print(save_retest(arguments.out, gap, title="CIFAR-10 · CIFAR-10.1 v4"))


if __name__ == "__main__":
    main()
