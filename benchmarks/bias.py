"""Dataset bias: every figure of its parts in one run.

    python benchmarks/bias.py [PART …] [--quick] [--checkpoints FOLDER]

Parts: features, linear, network, audit, nuisances, overlap, two_sample, market; without one,
all of them (four hours on one core, of which the networks take 40 minutes: with ``--checkpoints``
these go on where an earlier run stopped). Each part is also a program of its own,
benchmarks/bias_<part>.py.
Real data are found through CURATE_DATA; a part without them says so, or leaves its rows out.
"""

import argparse
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import bias_audit
import bias_features
import bias_linear
import bias_market
import bias_network
import bias_nuisance_draws
import bias_overlap
import bias_two_sample
from measure import Row
from rich.console import Console
from rich.table import Table

PARTS: dict[str, Callable[..., Iterator[Row]]] = {
    "features": bias_features.rows,
    "linear": bias_linear.rows,
    "network": bias_network.rows,
    "audit": bias_audit.rows,
    "nuisances": bias_nuisance_draws.rows,
    "overlap": bias_overlap.rows,
    "two_sample": bias_two_sample.rows,
    "market": bias_market.rows,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="small sizes: some minutes")
    parser.add_argument("--checkpoints", type=Path, help="a folder that networks go on from")
    options = parser.parse_args()
    unknown = [name for name in options.parts if name not in PARTS]
    if unknown:
        parser.error(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    if options.checkpoints is not None:
        options.checkpoints.mkdir(parents=True, exist_ok=True)
    table = Table("what", "ours", "peer or floor", "ratio", "goal", title="curate.bias")
    for name in options.parts or PARTS:
        rows = PARTS[name]
        if name == "network":
            rows = functools.partial(rows, checkpoints=options.checkpoints)
        for row in rows(options.quick):
            print(" | ".join(row), flush=True)  # long runs are followed line by line
            table.add_row(*row)
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
