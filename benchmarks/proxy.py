"""How cheap may be what ranks the examples? A tenth of MNIST, by a net's own tables and a proxy's.

    python benchmarks/proxy.py                    # train what is missing, print the table
    python benchmarks/proxy.py --only-print

Equal steps, AUM, five seeds: the usual net on all examples, on the tenth that its own tables
choose, on the tenth that a proxy chooses (one pass of a small net of linear layers), and on a
random tenth. Costs are CPU seconds of recording one model, measured at the start. Whether each
answer was right is kept in ``benchmarks/results/proxy-mnist.parquet``.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from pyarrow import parquet
from rich.console import Console
from rich.table import Table

import curate
from curate.experiment import run_arm
from curate.files import atomic_path
from curate.stats import certificate
from curate.train import Settings, settings_for

KEPT = Path(__file__).parent / "results" / "proxy-mnist.parquet"
SHARE, MARGIN = 0.1, 0.003


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder with a local copy; else CURATE_DATA")
    parser.add_argument("--folder", type=Path, default=Path("runs/proxy"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only-print", action="store_true")
    options = parser.parse_args()
    if not options.only_print:
        with atomic_path(KEPT) as path:
            parquet.write_table(trained(options), path, compression="zstd")
    print_table(parquet.read_table(KEPT))


def trained(options: argparse.Namespace) -> pa.Table:
    """One row per arm and seed: arm, seed, size, CPU seconds of what ranked it, right (bool)."""
    sets = [curate.data.load("mnist", split, options.data) for split in ("train", "test")]
    own = settings_for(sets[0].shape)
    proxy = replace(settings_for(sets[0].shape, model="mlp", epochs=1), batch_size=512, lr=0.4)
    fixed = {"by": "aum", "sizes": [SHARE], "seeds": options.seeds, "protocol": "steps"}
    runs = {}
    for cheap in (None, proxy):
        result = curate.smallest_set(
            *sets, margin=MARGIN, settings=own, proxy=cheap, folder=options.folder, **fixed
        )
        print(result, flush=True)
        runs |= {(run.arm, run.seed): run for run in result.runs}
    costs = {"aum": cost(own, sets), "proxy-aum": cost(proxy, sets)}
    return pa.Table.from_pylist(
        [
            {
                "arm": run.arm,
                "seed": run.seed,
                "size": run.train_size,
                "ranking_seconds": costs.get(run.arm.rpartition("-")[0]),
                "right": run.right.tolist(),
            }
            for run in runs.values()
        ]
    )


def cost(settings: Settings, sets: list[curate.data.ExampleSet]) -> float:
    """CPU seconds of recording one model, one thread."""
    torch.set_num_threads(1)
    recorder = curate.Recorder(sets[0].ids, history=True)
    start = time.process_time()
    run_arm("cost", 0, *sets, settings, recorder=recorder)
    return time.process_time() - start


def print_table(table: pa.Table) -> None:
    right: dict[str, list[np.ndarray]] = {}
    seconds = {}
    for row in table.sort_by("seed").to_pylist():
        right.setdefault(row["arm"], []).append(np.array(row["right"]))
        seconds[row["arm"]] = row["ranking_seconds"]
    own = next(arm for arm in right if arm.startswith("aum"))
    seeds = len(right[own])
    report = Table(title=f"MNIST, {SHARE:.0%} kept, equal steps, {seeds} seeds")
    for column in ("arm", "ranking, CPU s a model", "accuracy", "lost against its own", "at most"):
        report.add_column(column, justify="left" if column == "arm" else "right")
    for arm, answers in right.items():
        lost = certificate(np.stack(right[own]), np.stack(answers), margin=MARGIN)
        spent = "" if seconds[arm] is None else f"{seconds[arm]:.1f}"
        if spent and arm != own:
            spent += f" ({seconds[arm] / seconds[own]:.1%})"
        report.add_row(
            arm,
            spent,
            f"{np.mean(answers):.2%}",
            "" if arm == own else f"{100 * lost.loss:+.2f} points",
            "" if arm == own else f"{100 * lost.bound:.2f} (p = {lost.p_value:.2g})",
        )
    Console(width=120, highlight=False).print(report)


if __name__ == "__main__":
    main()
