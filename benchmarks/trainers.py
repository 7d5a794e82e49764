"""Whether the table is right in the loops that people have, on one process and on two.

    pip install -e '.[test]' keras fastai litdata mosaicml-streaming
    python benchmarks/trainers.py

Every set-up trains a small model on one process and on two, and its table is compared with a slow
reference made of what the model itself noted. 'added' are the lines that the user adds to the
loop, imports apart, 'changed' those that become others (wrapping the data set, unpacking ids). A
set-up whose library is not installed is shown as such. Prints the table of docs/benchmarks.md.
"""

import argparse
import importlib
import multiprocessing
import os
import socket
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import torch
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from setups.harness import SEEN, SETUPS, Run, Setup, difference, note_sweeps

LIMIT = 120  # seconds for one set-up
ROOMS = ("plain", "lightning", "transformers", "accelerate", "timm", "keras", "fastai", "streams")


def in_a_process(setup: Setup, rank: int, ranks: int, folder: Path, port: int) -> None:
    """Do a set-up's work and leave what was seen, and the table, in ``folder``."""
    log = os.open(folder / f"log{rank}", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if ranks > 1:
        os.environ |= {
            "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(ranks),
            "LOCAL_WORLD_SIZE": str(ranks), "GROUP_RANK": "0", "NODE_RANK": "0",
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_RUN_ID": "x",
        }  # fmt: skip
    warnings.simplefilter("ignore")
    torch.manual_seed(rank)
    note_sweeps(setup.sweeps)
    try:
        table = setup.work(Run(rank, ranks, folder)).table()
        torch.save((SEEN, table.to_pylist()), folder / f"done{rank}.pt")
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(0)


def outcome_of(setup: Setup, ranks: int, verbose: bool) -> str:
    """'right', or what is not."""
    if any(importlib.util.find_spec(package) is None for package in setup.needs):
        return "not installed"
    with socket.socket() as free, tempfile.TemporaryDirectory() as name:
        free.bind(("127.0.0.1", 0))
        port, folder = free.getsockname()[1], Path(name)
        free.close()
        fork = multiprocessing.get_context("fork")
        arguments = [(setup, rank, ranks, folder, port) for rank in range(ranks)]
        processes = [fork.Process(target=in_a_process, args=each) for each in arguments]
        for process in processes:
            process.start()
        for process in processes:
            process.join(LIMIT)
        late = [process for process in processes if process.is_alive()]
        for process in late:
            process.kill()
        done = [folder / f"done{rank}.pt" for rank in range(ranks)]
        if not all(path.exists() for path in done):
            for rank in range(ranks) if verbose else ():
                print((folder / f"log{rank}").read_text()[-3000:])
            log = (folder / f"log{0 if not done[0].exists() else 1}").read_text().strip()
            return "did not end" if late else log.splitlines()[-1] if log else "died"
        seen, tables = zip(*(torch.load(path) for path in done), strict=True)
        return difference(setup, list(seen), list(tables)) or "right"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="set-ups whose library or name has this in it")
    parser.add_argument("--verbose", action="store_true", help="print the logs of what failed")
    arguments = parser.parse_args()
    table = Table("library", "set-up", "1 process", "2 processes", "added", "changed", box=None)
    right = shown = missing = 0
    most = 0
    for room in ROOMS:
        importlib.import_module(f"setups.in_{room}")
        for setup in SETUPS:
            if setup.library != room or arguments.only not in f"{setup.library} {setup.name}":
                continue
            found = [outcome_of(setup, ranks, arguments.verbose) for ranks in (1, 2)]
            added, changed = setup.lines
            table.add_row(setup.library, setup.name, *map(escape, found), str(added), str(changed))
            shown, most = shown + 1, max(most, added)
            right += found == ["right", "right"]
            missing += found == ["not installed"] * 2
            print(room, setup.name, *found, sep=" | ", file=sys.stderr, flush=True)
    Console(width=150).print(table)
    print(f"{right} of {shown} right on 1 and on 2 processes; {missing} not installed; ", end="")
    print(f"at most {most} lines added")


if __name__ == "__main__":
    main()
