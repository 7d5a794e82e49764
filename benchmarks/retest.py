"""Test sets: every figure of its parts in one run.

    python benchmarks/retest.py [PART …] [--quick]

Without a part, all of them. Each part is a file of its own, benchmarks/retest_<part>.py. Real data
are found through CURATE_DATA; a part without them says so.
"""

import argparse
from collections.abc import Callable, Iterator

import retest_duplicates
import retest_gap
import retest_search
import retest_selection
from measure import Row
from rich.console import Console
from rich.table import Table

PARTS: dict[str, Callable[[bool], Iterator[Row]]] = {
    "gap": retest_gap.rows,
    "selection": retest_selection.rows,
    "duplicates": retest_duplicates.rows,
    "search": retest_search.rows,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    options = parser.parse_args()
    unknown = [name for name in options.parts if name not in PARTS]
    if unknown:
        parser.error(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    table = Table("what", "ours", "peer or floor", "ratio", "goal", title="curate.retest")
    for name in options.parts or PARTS:
        for row in PARTS[name](options.quick):
            print(" | ".join(row), flush=True)  # long runs are followed line by line
            table.add_row(*row)
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
