"""What pruning costs: in memory against a bare partition and the paper's sort, and on disk.

    python benchmarks/selection.py [--rows 100000000] [--quick]

Prints the table of docs/benchmarks.md, 'Selection'. The contestants of a row take turns, and the
figures are medians. The table on disk (about 2 bytes a row) is made in a temporary folder, which
is removed at the end. Contestants on disk run in processes of their own, so that each has its own
peak of memory.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
from measure import medians
from rich.console import Console
from rich.progress import track
from rich.table import Table

from curate.pruning import prune
from curate.scores import score
from curate.table import describe, open_writer

EPOCHS = 200
NEEDED = ["example_id", "label", "forgetting_events", "first_learned"]

READ = """
from curate.table import open_stream
for batch in open_stream(path, columns):
    rows += len(batch)
"""
COPY = """
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
from curate.table import open_stream
half, words = np.arange(1 << 20) % 2, pa.array(["kept", "removed"])
writer = None
for batch in open_stream(path, columns):
    few, kept = len(batch), half[: len(batch)]
    reason = pa.DictionaryArray.from_arrays(pa.array(kept, pa.int8()), words)
    found = [batch["example_id"], batch["label"], pa.array(kept == 0)]
    found += [batch["forgetting_events"].cast("float64"), reason]
    table = pa.table(found, ["example_id", "label", "kept", "score", "reason"])
    writer = writer or pq.ParquetWriter(out, table.schema)
    writer.write_table(table)
    rows += few
writer.close()
"""
PRUNE = """
from curate.pruning import prune_file
rows = prune_file(path, out, 0.5)["total"]
"""
PROCESS = """
import json, resource, sys, time
path, out, columns = json.loads(sys.argv[1])
import curate.pruning, curate.table, pyarrow.dataset

def peak():
    try:  # getrusage counts the process that this one was forked from as well
        return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

imported, rows, start = peak(), 0, time.perf_counter()
{work}
seconds = time.perf_counter() - start
print(json.dumps([rows, seconds, peak() * 1024, imported * 1024]))
"""


def some_rows(start: int, rows: int) -> pa.Table:
    """Rows as a Recorder makes them: half never forgotten, a few never learned."""
    rng = np.random.default_rng(start)
    never = rng.random(rows) < 0.02
    events = np.where(never, 0, rng.geometric(0.45, rows) - 1)
    first = pa.array(rng.geometric(0.2, rows).astype(np.int32), mask=never)
    columns = {
        "example_id": np.arange(start, start + rows),
        "label": rng.integers(0, 10, rows),
        "presentations": np.full(rows, EPOCHS, np.int32),
        "forgetting_events": events.astype(np.int32),
        "learning_events": (events + ~never).astype(np.int32),
        "first_learned": first,
    }
    return describe(pa.table(columns))


def paper_sort(
    forgotten: list[dict[int, np.ndarray]], first_learned: list[dict[int, np.integer | float]]
) -> np.ndarray:
    """As the paper's scripts do it: one dict per run, a loop over examples and runs, a sort."""
    ids, counts = [], []
    for example in forgotten[0]:
        count = 0
        for run in range(len(forgotten)):
            never = np.isnan(first_learned[run][example])
            count += EPOCHS if never else len(forgotten[run][example])
        ids.append(example)
        counts.append(count)
    return np.array(ids)[np.argsort(counts)][len(ids) // 2 :]


def paper_dicts(table: pa.Table) -> tuple[list, list]:
    """A table as the dicts that those scripts hold; the values are NumPy's, as there."""
    events, first = table["forgetting_events"].to_pylist(), table["first_learned"].to_pylist()
    arrays = [np.arange(count) for count in range(max(events) + 1)]
    forgotten = {i: arrays[count] for i, count in enumerate(events)}
    first_learned = {i: math.nan if n is None else np.int64(n - 1) for i, n in enumerate(first)}
    return [forgotten], [first_learned]


def in_memory(rows: int, repeats: int) -> list[tuple[str, ...]]:
    table = some_rows(0, rows)
    key = score(table, "forgetting")
    dicts = paper_dicts(table)
    fast = medians(
        {"curate": lambda: prune(table, 0.5), "partition": lambda: np.argpartition(key, rows // 2)},
        repeats,
    )
    slow = medians(
        {
            "curate": lambda: prune(table, 0.5),
            "paper": lambda: paper_sort(*dicts),
        },
        max(1, repeats // 5),
    )
    what = f"prune {rows:,} rows to half by forgetting, in memory"
    return [
        row(what, "numpy argpartition of the key", fast["curate"], fast["partition"], "<= 1.5"),
        (
            what,
            "the paper's dict and sort",
            *milliseconds(slow["curate"], slow["paper"]),
            f"1 / {slow['paper'] / slow['curate']:.0f}",
            "<= 1 / 100",
        ),
    ]


def in_a_process(work: str, path: Path, out: Path) -> tuple[int, float, float, float]:
    arguments = json.dumps([str(path), str(out), NEEDED])
    command = [sys.executable, "-c", PROCESS.format(work=work), arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows, seconds, peak, imported = json.loads(done.stdout)
    return rows, seconds, peak, imported


def on_disk(rows: int, repeats: int, folder: Path) -> list[tuple[str, ...]]:
    path, chunk = folder / "examples.parquet", 1 << 20
    with open_writer(path, some_rows(0, 1).schema) as writer:
        for start in track(range(0, rows, chunk), "making the table on disk", transient=True):
            writer.write_table(some_rows(start, min(chunk, rows - start)))
    measured = defaultdict(list)
    for turn in track(range(repeats + 1), "pruning it", transient=True):
        for name, work in (("read", READ), ("copy", COPY), ("prune", PRUNE)):
            found = in_a_process(work, path, folder / f"{name}-{turn}")
            assert found[0] == rows
            if turn:
                measured[name].append(found[1:])
    read, copy, seconds = (
        statistics.median(run[0] for run in measured[name]) for name in ("read", "copy", "prune")
    )
    peak, imported = (max(run[i] for run in measured["prune"]) / 2**30 for i in (1, 2))
    what = f"prune {rows:,} rows on disk to half, write the selection"
    return [
        row(what, "reading the needed columns once", seconds, read, "<= 3"),
        row(what, "reading, and writing such a file, by pyarrow alone", seconds, copy, ""),
        (
            f"peak memory of that, GiB (of it imports {imported:.2f})",
            "",
            f"{peak:.2f}",
            "",
            "",
            "<= 2",
        ),
    ]


def milliseconds(*seconds: float) -> tuple[str, ...]:
    return tuple(f"{value * 1e3:,.1f}" for value in seconds)


def row(what: str, peer: str, ours: float, theirs: float, goal: str) -> tuple[str, ...]:
    return (what, peer, *milliseconds(ours, theirs), f"{ours / theirs:.2f}", goal)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000_000, help="of the table on disk")
    parser.add_argument("--repeats", type=int, default=3, help="runs on disk, of which the median")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, once")
    arguments = parser.parse_args()
    rows, repeats, few = arguments.rows, arguments.repeats, 1_000_000
    if arguments.quick:
        rows, repeats, few = min(rows, 5_000_000), 1, 100_000
    found = in_memory(few, 3 if arguments.quick else 51)
    with tempfile.TemporaryDirectory() as folder:
        found += on_disk(rows, repeats, Path(folder))
    table = Table(title="Selection")
    for column in ("what", "against", "curate, ms", "peer, ms", "curate / peer", "goal"):
        table.add_column(column, justify="left" if column in ("what", "against") else "right")
    for figures in found:
        table.add_row(*figures)
    console = Console(width=130)
    console.print(f"numpy {np.__version__}, pyarrow {pa.__version__}, {pa.cpu_count()} processors")
    console.print(table)


if __name__ == "__main__":
    main()
