"""How much of CIFAR-10 can go? Removal at equal steps, one finished run after the other.

    python benchmarks/removal.py                  # train what is missing, print the table
    python benchmarks/removal.py --only-print     # print what there is

Example forgetting (Toneva et al., ICLR 2019, Figure 5) at equal steps, as most papers print it:
models with the first seeds are trained on all examples and recorded; the examples are ranked by
their forgetting events, equal numbers by the mean margin; models are trained on the hardest 70 and
50 % of every class, and on as many drawn at random, with every seed. What is finished is kept in
``benchmarks/results/removal-NAME.parquet``, so that the work goes on where it was, on any machine;
several processes share it (``--folder`` is where they meet). One thread a process.
"""

import argparse
import fcntl
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from pyarrow import parquet
from rich.console import Console
from rich.table import Table

import curate
from curate.data import held_out
from curate.experiment import run_arm
from curate.files import atomic_path
from curate.stats import certificate, look_level, superiority
from curate.train import Settings, settings_for

RESULTS = Path(__file__).parent / "results"
RECORDED = 3  # seeds whose tables rank the examples
_UNSTRATIFIED = "_unstratified"  # after a score in --by: the hardest of all classes together
_WINDOW = "_window"  # after a score in --by: the hardest below the hardest tenth of each class
COLUMNS = [
    "example_id", "label", "presentations", "forgetting_events", "first_learned", "margin_mean",
    "el2n_mean",
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--data", help="folder with local copies; else CURATE_DATA")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--keep", type=float, nargs="+", default=[0.7, 0.5])
    parser.add_argument(
        "--by",
        default="forgetting",
        help=f"a score; with {_UNSTRATIFIED!r} after it, of all classes at once; with {_WINDOW!r}, "
        "without the hardest tenth",
    )
    parser.add_argument("--margin", type=float, default=0.01)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, help="of runs in progress; runs/removal-NAME")
    parser.add_argument("--only-print", action="store_true")
    options = parser.parse_args()
    kept = RESULTS / f"removal-{options.dataset}.parquet"
    if not options.only_print:
        train_what_is_missing(options, kept)
    print_table(options, kept)


@dataclass(frozen=True)
class Work:
    """What is trained on, how, and where it is kept."""

    train_set: curate.data.ExampleSet
    test_set: curate.data.ExampleSet
    settings: Settings
    folder: Path
    kept: Path

    def recorded(self, seed: int) -> Path:
        """The columns of a seed's example table that rank the examples."""
        return self.kept.with_name(f"{self.kept.stem}-seed{seed}.parquet")

    def ranking(self) -> pa.Table | None:
        """The recorded tables merged; None where one is missing yet."""
        paths = [self.recorded(seed) for seed in range(RECORDED)]
        if not all(path.exists() for path in paths):
            return None
        return curate.merge([curate.read(path) for path in paths])


def train_what_is_missing(options: argparse.Namespace, kept: Path) -> None:
    torch.set_num_threads(1)
    train_set = curate.data.load(options.dataset, "train", options.data)
    test_set = curate.data.load(options.dataset, "test", options.data)
    settings = replace(settings_for(train_set.shape, device=options.device), steps=options.steps)
    folder = options.folder or Path("runs") / f"removal-{options.dataset}"
    folder.mkdir(parents=True, exist_ok=True)
    work = Work(train_set, test_set, settings, folder, kept)
    counts = [round(share * len(train_set)) for share in options.keep]
    jobs = [("all", seed) for seed in range(RECORDED)]
    for seed in range(options.seeds):
        jobs += [(f"{arm}-{count}", seed) for count in counts for arm in (options.by, "random")]
        jobs += [("all", seed)] if seed >= RECORDED else []
    while missing := [job for job in jobs if job not in finished(kept)]:
        if not any(train(work, *job) for job in missing):
            time.sleep(20)  # the others are being trained, or wait for the ranking


def train(work: Work, arm: str, seed: int) -> bool:
    """Train one model, unless another process does, or the ranking is not there yet."""
    rows = rows_of(work, arm, seed)
    if rows is None and arm != "all":
        return False
    with open(work.folder / f"{arm}-{seed}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        if (arm, seed) in finished(work.kept):
            return False
        recorded = arm == "all" and seed < RECORDED
        recorder = curate.Recorder(work.train_set.ids, history=True) if recorded else None
        run, table = run_arm(
            arm, seed, work.train_set, work.test_set, work.settings,
            rows=rows, recorder=recorder, folder=work.folder,
        )  # fmt: skip
        print(run, flush=True)
        if table is not None:
            curate.write(table.select(COLUMNS), work.recorded(seed))
        keep_run(work.kept, run)
    return True


def rows_of(work: Work, arm: str, seed: int) -> np.ndarray | None:
    """Positions to train on; None for all, or where the ranking is not there yet."""
    by, _, count = arm.partition("-")
    labels, ids = work.train_set.labels, work.train_set.ids
    if by == "all":
        return None
    if by == "random":  # of every class as many
        return np.flatnonzero(held_out(labels, ids, int(count), 100 + seed))
    table = work.ranking()
    if table is None:
        return None
    score = by.removesuffix(_UNSTRATIFIED).removesuffix(_WINDOW)
    ties = "margin" if score == "forgetting" else "hash"
    stratify = None if by.endswith(_UNSTRATIFIED) else "label"
    strategy = {"strategy": "window", "drop_hardest": 0.1} if by.endswith(_WINDOW) else {}
    chosen = curate.prune(table, int(count), score, stratify=stratify, ties=ties, **strategy)
    return np.flatnonzero(chosen.table["kept"].to_numpy())


def finished(kept: Path) -> dict[tuple[str, int], dict]:
    """The rows of the finished runs by arm and seed."""
    rows = parquet.read_table(kept).to_pylist() if kept.exists() else []
    return {(row["arm"], row["seed"]): row for row in rows}


def keep_run(kept: Path, run: curate.experiment.Run) -> None:
    """Add a run to the finished ones; the answers on the test set as bits."""
    with open(kept.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        rows = finished(kept)
        rows[run.arm, run.seed] = {
            "arm": run.arm,
            "seed": run.seed,
            "train_size": run.train_size,
            "steps": run.steps,
            "seconds": run.seconds,
            "examples": len(run.right),
            "right": np.packbits(run.right).tobytes(),
        }
        with atomic_path(kept) as path:
            parquet.write_table(pa.Table.from_pylist([rows[key] for key in sorted(rows)]), path)
    kept.with_suffix(".lock").unlink(missing_ok=True)


def right(rows: dict[tuple[str, int], dict], arm: str, seeds: list[int]) -> np.ndarray:
    """(seeds, test examples) bool."""
    answers = []
    for seed in seeds:
        row = rows[arm, seed]
        bits = np.unpackbits(np.frombuffer(row["right"], np.uint8), count=row["examples"])
        answers.append(bits.astype(bool))
    return np.stack(answers)


def print_table(options: argparse.Namespace, kept: Path) -> None:
    rows = finished(kept)
    table = Table(title=f"{options.dataset}, {options.steps:,} steps for every arm")
    for column in ("arm", "examples", "seeds", "accuracy", "less than all", "at worst", "p"):
        table.add_column(column, justify="left" if column == "arm" else "right")
    console = Console(highlight=False)
    seeds_of_all = sorted(seed for arm, seed in rows if arm == "all")
    if not seeds_of_all:
        console.print("nothing is finished yet")
        return
    for arm in sorted({arm for arm, _ in rows}, key=lambda arm: -rows_size(rows, arm)):
        seeds = [seed for seed in seeds_of_all if (arm, seed) in rows]
        if not seeds:
            continue
        answers = right(rows, arm, seeds)
        test = certificate(
            right(rows, "all", seeds), answers, margin=options.margin, level=look_level(1)
        )
        shown = [f"{100 * test.loss:+.2f}", "", ""]  # of one seed nothing is shown
        if len(seeds) > 1:
            shown[1:] = [f"{100 * test.bound:+.2f}", f"{test.p_value:.2g}"]
        table.add_row(
            arm, f"{rows_size(rows, arm):,}", str(len(seeds)), f"{answers.mean():.2%}",
            *(["", "", ""] if arm == "all" else shown),
        )  # fmt: skip
    console.print(table)
    for share in options.keep:
        count = round(share * rows_size(rows, "all"))
        first, second = f"random-{count}", f"{options.by}-{count}"
        seeds = [s for s in seeds_of_all if (first, s) in rows and (second, s) in rows]
        if seeds:
            test = superiority(
                right(rows, first, seeds), right(rows, second, seeds),
                level=0.025 / len(options.keep),
            )  # fmt: skip
            said = f"{second} against {first}: {-100 * test.loss:+.2f} points"
            if len(seeds) > 1:
                said += f", at least {-100 * test.bound:+.2f}, p = {test.p_value:.2g}"
            console.print(f"{said}, seeds: {len(seeds)}", soft_wrap=True)


def rows_size(rows: dict[tuple[str, int], dict], arm: str) -> int:
    return next(row["train_size"] for (name, _), row in rows.items() if name == arm)


if __name__ == "__main__":
    main()
