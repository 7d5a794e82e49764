"""Are examples with random labels forgotten? Toneva et al., ICLR 2019, Section 4.3.

    python pipelines/forgetting_noise.py [--dataset digits] [--noise 0.2] [--seeds 3]

The labels of a fifth of the training set are drawn anew among the other classes, models are
recorded on it, and the same models on the set as it was: how often are the relabelled examples
forgotten, against the others and against themselves with their own labels? The paper, on CIFAR-10:
none of them is unforgettable, and each is forgotten more often than with its own label.
"""

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.metrics import roc_auc_score

import curate
from curate.data import ExampleSet
from curate.experiment import run_arm
from curate.scores import unforgettable
from curate.train import Settings, settings_for

SCORES = ("forgetting", "first_learned", "aum", "el2n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--data", help="folder with local copies of mnist and cifar10")
    parser.add_argument("--noise", type=float, default=0.2)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, help="where runs are kept, to go on from")
    options = parser.parse_args()

    train_set = curate.data.load(options.dataset, "train", options.data)
    test_set = curate.data.load(options.dataset, "test", options.data)
    settings = settings_for(train_set.shape, epochs=options.epochs, device=options.device)
    noisy, wrong = relabelled(train_set, options.noise)

    own, drawn = (
        recorded(name, dataset, test_set, settings, options)
        for name, dataset in (("own", train_set), ("drawn", noisy))
    )
    report = Table(title=f"{options.dataset}, {options.noise:.0%} random labels, {settings}")
    for column in ("examples", "never forgotten", "never learned", "forgetting events, mean"):
        report.add_column(column, justify="left" if column == "examples" else "right")
    for name, tables, rows in (
        ("relabelled", drawn, wrong),
        ("the others", drawn, ~wrong),
        ("relabelled, with their own labels", own, wrong),
    ):
        report.add_row(name, *facts(tables, rows))
    console = Console(highlight=False)
    console.print(report)

    events = [
        np.mean([table["forgetting_events"].to_numpy()[wrong] for table in tables], 0)
        for tables in (own, drawn)
    ]
    more = np.mean(events[1] > events[0]), np.mean(events[1] < events[0])
    console.print(
        f"relabelled examples forgotten more often than with their own label: {more[0]:.1%}, "
        f"less often: {more[1]:.1%}"
    )
    merged = curate.merge(drawn)
    found = {name: curate.score(merged, name) for name in SCORES}
    finite = {name: np.nan_to_num(of, posinf=np.finfo(float).max) for name, of in found.items()}
    shown = [f"{name} {roc_auc_score(wrong, of):.3f}" for name, of in finite.items()]
    console.print(f"telling them from the others, area under the ROC curve: {', '.join(shown)}")


def relabelled(dataset: ExampleSet, share: float) -> tuple[ExampleSet, np.ndarray]:
    """The set with some labels drawn anew, never as they were; and (n,) bool, which."""
    rng = np.random.default_rng(0)
    classes = int(dataset.labels.max()) + 1
    wrong = rng.permutation(len(dataset)) < round(share * len(dataset))
    other = (dataset.labels + rng.integers(1, classes, len(dataset))) % classes
    values, _ = dataset.arrays()
    labels = np.where(wrong, other, dataset.labels)
    changed = ExampleSet(
        dataset.ids, labels, dataset.class_names, shape=dataset.shape, values=values
    )
    return changed, wrong


def recorded(
    name: str, train_set: ExampleSet, test_set: ExampleSet, settings: Settings, options
) -> list[pa.Table]:
    """The tables of all seeds."""
    tables = []
    folder = None if options.folder is None else options.folder / name
    for seed in track(range(options.seeds), f"{name} labels", transient=True):
        recorder = curate.Recorder(train_set.ids)
        run, table = run_arm(
            name, seed, train_set, test_set, settings, recorder=recorder, folder=folder
        )
        print(run, flush=True)
        tables.append(table)
    return tables


def facts(tables: list[pa.Table], rows: np.ndarray) -> list[str]:
    """Means over seeds: shares never forgotten and never learned, and events."""
    never = np.mean([unforgettable(table)[rows].mean() for table in tables])
    unlearned = np.mean(
        [table["first_learned"].is_null().to_numpy()[rows].mean() for table in tables]
    )
    events = np.mean([table["forgetting_events"].to_numpy()[rows].mean() for table in tables])
    return [f"{never:.2%}", f"{unlearned:.1%}", f"{events:.2f}"]


if __name__ == "__main__":
    main()
