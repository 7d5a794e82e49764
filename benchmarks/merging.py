"""What merging two runs costs on disk, beside DuckDB: processor time, peak memory, order.

    python benchmarks/merging.py [--rows 20000000] [--repeats 3]

Prints the table of docs/benchmarks.md, 'Merging'. Two tables as a Recorder with track="all" writes
them are made in a temporary folder. The contestants take turns, each in a process of its own; the
figures are medians, the peaks the largest. DuckDB computes the same columns by a join, and need
not keep the order of the rows.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.progress import track
from rich.table import Table

import curate
from curate.table import describe, open_writer

MEANS = ("loss_mean", "margin_mean", "confidence_mean", "el2n_mean")
COUNTS = ("presentations", "correct", "forgetting_events", "learning_events", "non_finite")

MERGE = "from curate.table import merge_files; rows = merge_files(paths, out)"
READ = """
from curate.table import open_stream
for path in paths:
    for batch in open_stream(path):
        rows += len(batch)
rows //= 2
"""
DUCKDB = """
import duckdb
con = duckdb.connect()
con.execute("set memory_limit = '2GB'; set preserve_insertion_order = false")
con.execute("set enable_progress_bar = false")
con.execute(f"set temp_directory = '{out}.tmp'")
con.execute(query.format(*paths, out))
rows = con.execute(f"select count(*) from '{out}'").fetchall()[0][0]
"""
PROCESS = """
import json, resource, sys
paths, out, query = json.loads(sys.argv[1])
import curate.table

def spent():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime

rows, start = 0, spent()
{work}
seconds = spent() - start
peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) * 1024
print(json.dumps([rows, seconds, peak]))
"""


def query() -> str:
    """The same merge in SQL."""
    finite = "(a.presentations - a.non_finite)", "(b.presentations - b.non_finite)"
    total = f"nullif({finite[0]} + {finite[1]}, 0)"

    def mean(name: str) -> str:
        a, b = (f"coalesce({t}.{name}, 0) * {n}" for t, n in zip("ab", finite, strict=True))
        return f"({a} + {b}) / {total}"

    spread = " + ".join(
        f"coalesce(pow({t}.confidence_std, 2) + pow({t}.confidence_mean - "
        f"{mean('confidence_mean')}, 2), 0) * {n}"
        for t, n in zip("ab", finite, strict=True)
    )
    learned = "(a.first_learned is not null)::int", "(b.first_learned is not null)::int"
    first = "coalesce(a.first_learned, 0) + coalesce(b.first_learned, 0)"
    columns = [
        "a.example_id", "a.label",
        *(f"a.{name} + b.{name} as {name}" for name in COUNTS),
        f"({first}) / nullif({learned[0]} + {learned[1]}, 0) as first_learned",
        *(f"(a.{name} + b.{name}) / 2 as {name}" for name in ("last_loss", "margin_last")),
        *(f"{mean(name)} as {name}" for name in MEANS),
        f"sqrt(({spread}) / {total}) as confidence_std",
        "(a.presentations > 0)::int + (b.presentations > 0)::int as runs",
        f"{learned[0]} + {learned[1]} as runs_learned",
    ]  # fmt: skip
    joined = "read_parquet('{}') a join read_parquet('{}') b on a.example_id = b.example_id"
    return f"copy (select {', '.join(columns)} from {joined}) to '{{}}' (format parquet)"


def make(path: Path, ids: np.ndarray, seed: int) -> None:
    """A table as a Recorder writes it, for these ids in their order."""
    rng, chunk = np.random.default_rng(seed), 1 << 20
    with open_writer(path, some_rows(ids[:1], rng).schema) as writer:
        for start in range(0, len(ids), chunk):
            writer.write_table(some_rows(ids[start : start + chunk], rng))


def some_rows(ids: np.ndarray, rng: np.random.Generator) -> pa.Table:
    rows = len(ids)
    never = rng.random(rows) < 0.02
    events = np.where(never, 0, rng.geometric(0.45, rows) - 1).astype(np.int32)
    columns = {
        "example_id": ids,
        "label": ids % 10,
        "presentations": np.full(rows, 200, np.int32),
        "correct": rng.integers(0, 200, rows, dtype=np.int32),
        "forgetting_events": events,
        "learning_events": events + ~never,
        "first_learned": pa.array(rng.geometric(0.2, rows).astype(np.int32), mask=never),
        "non_finite": np.zeros(rows, np.int32),
    }
    names = ("last_loss", "loss_mean", "margin_last", "margin_mean", "confidence_mean")
    columns |= {name: rng.random(rows) for name in (*names, "confidence_std", "el2n_mean")}
    return describe(pa.table(columns))


def in_a_process(work: str, paths: list[Path], out: Path) -> tuple[int, float, float]:
    arguments = json.dumps([[str(path) for path in paths], str(out), query()])
    command = [sys.executable, "-c", PROCESS.format(work=work), arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return tuple(json.loads(done.stdout))


def same(ours: Path, theirs: Path) -> bool:
    """Whether both hold the same values, whatever their order."""
    one, other = (curate.read(path).sort_by("example_id") for path in (ours, theirs))
    return all(
        np.allclose(one[name].to_numpy(), other[name].to_numpy(), rtol=1e-9, equal_nan=True)
        for name in one.column_names
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000_000, help="of each table")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    table = Table(title=f"merge 2 tables of {given.rows:,} rows, 15 columns, on disk")
    for name in ("order of the ids", "contestant", "CPU s", "/ DuckDB", "peak GiB", "goal"):
        table.add_column(
            name, justify="left" if name in ("order of the ids", "contestant") else "right"
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ids = np.arange(given.rows)
        make(folder / "a.parquet", ids, 0)
        for order in ("the same", "another"):
            other = ids if order == "the same" else np.random.default_rng(9).permutation(ids)
            make(folder / "b.parquet", other, 1)
            paths, found = [folder / "a.parquet", folder / "b.parquet"], defaultdict(list)
            works = {"curate": MERGE, "DuckDB": DUCKDB, "reading both (floor)": READ}
            for _ in track(range(given.repeats), f"merging, order {order}", transient=True):
                for contestant, work in works.items():
                    (folder / f"{contestant}.parquet").unlink(missing_ok=True)
                    done = in_a_process(work, paths, folder / f"{contestant}.parquet")
                    assert done[0] == given.rows, (contestant, done)
                    found[contestant].append(done[1:])
            if given.rows <= 2_000_000:
                assert same(folder / "curate.parquet", folder / "DuckDB.parquet")
            seconds = {
                who: statistics.median(run[0] for run in runs) for who, runs in found.items()
            }
            for who, runs in found.items():
                table.add_row(
                    order, who, f"{seconds[who]:.1f}", f"{seconds[who] / seconds['DuckDB']:.2f}",
                    f"{max(run[1] for run in runs) / 2**30:.2f}",
                    "<= 0.5, <= 2 GiB" if who == "curate" else "",
                )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
