"""How often does a whole search certify falsely, and how often is 'better than random' false?

    python benchmarks/certified_searches.py [--worlds 2000] [--out FILE] [KIND …]

Worlds as in benchmarks/certificates.py; FILE may be the same, kinds replace those they are called
as. The search is the library's own: ``choose`` on simulated validation losses, the sizes around the
choice, and ``in_sequence`` at the level of each look; only nothing is trained. Each world is
searched four times, each time with other candidates, whatever was found before.
"""

import argparse
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest.mock import patch

import numpy as np
from certificates import SHOWN, World, draw, is_shown, save
from rich.console import Console
from rich.table import Table

from curate.experiment import Candidate
from curate.experiment.search import certifying
from curate.experiment.search.certifying import BETTER_LEVEL, Arms
from curate.experiment.search.choosing import SIZES, Search, choose
from curate.experiment.search.on_validation import certifying_cost, counts_around
from curate.experiment.training.job import Run
from curate.stats import Certificate, look_level
from curate.stats._certificate import sufficient
from curate.stats._superiority import randomization_p_value, t_p_value

EXAMPLES, TEST_SIZES, SEEDS, LOOKS = 1000, (300, 500, 10_000), (3, 5, 10), 4
CANDIDATES, NOISE = 8, 0.005  # of one loss on the validation part


@dataclass(frozen=True)
class SearchWorld(World):
    """Every set smaller than this share loses the margin; the others gain two points."""

    fine_from: float = 2.0


LOSES = (
    ("whole search, all lose, no gains", 0.01, 0.0, 2.0),
    ("whole search, all lose", 0.03, 0.02, 2.0),
    ("whole search, larger sets gain", 0.03, 0.02, 0.3),
)


def search_worlds() -> Iterator[SearchWorld]:
    for kind, losses, gains, fine in LOSES:
        for m in TEST_SIZES:
            for seeds in SEEDS:
                for same in (True, False):
                    yield SearchWorld(kind, m, seeds, 0.01, losses, gains, same, fine_from=fine)


def false_certificates(world: SearchWorld, count: int) -> int:
    """In how many worlds any of the looks certifies a set that loses the margin."""
    rng = np.random.default_rng(zlib.crc32(repr(world).encode()))
    with (
        patch.object(certifying, "certificate", _Quick()),
        patch.object(certifying, "superiority", lambda first, second, level: None),
    ):
        return sum(
            any(_claims_falsely(world, rng, look) for look in range(1, LOOKS + 1))
            for _ in range(count)
        )


def _claims_falsely(world: SearchWorld, rng: np.random.Generator, look: int) -> bool:
    candidates = [Candidate(f"look{look}-{number}") for number in range(CANDIDATES)]

    def loss(size: float) -> float:
        return -0.02 if size >= world.fine_from else world.margin

    def evaluate(tries: list[tuple[Candidate, float]], seed: int) -> list[float | None]:
        return [loss(size) + NOISE * rng.standard_normal() for _, size in tries]

    def budget(size: float) -> float:
        counts = counts_around(size, EXAMPLES)
        return certifying_cost(counts, EXAMPLES, world.seeds, "epochs") / 2

    search = Search(evaluate, lambda size: 0.8 * size, 2.4)
    choice = choose(candidates, SIZES, world.margin / 2, search, budget)
    counts = counts_around(choice.size, EXAMPLES)

    def trained() -> Iterator[Arms]:
        everything = _runs(np.broadcast_to(True, (world.seeds, world.examples)))
        for count in counts:
            fine = count >= world.fine_from * EXAMPLES
            lost, gained = draw(_all_gain(world) if fine else world, rng)
            everything, pruned = _runs(~gained), _runs(~lost)
            yield Arms(count, everything, pruned, everything)  # type: ignore[arg-type]

    results = certifying.in_sequence(
        trained(), len(counts), margin=world.margin, level=look_level(look)
    )
    return any(one.certified and one.selection < world.fine_from * EXAMPLES for one in results)


@cache
def _all_gain(world: SearchWorld) -> World:
    return World("fine", world.examples, world.seeds, world.margin, 0.0, 0.02, True)


def _runs(right: np.ndarray) -> list[Run]:
    return [Run("simulated", seed, one, 0, 0.0) for seed, one in enumerate(right)]


class _Quick:
    """``certificate`` without its bound, and with what it was asked before."""

    def __init__(self) -> None:
        self.known: dict[tuple, bool] = {}

    def __call__(
        self, first: np.ndarray, second: np.ndarray, *, margin: float = 0.0, level: float
    ) -> Certificate:
        seen = sufficient(first.astype(np.int8) - second.astype(np.int8))
        key = seen[0].tobytes(), seen[1].tobytes(), seen[2], margin, level
        if key not in self.known:
            self.known[key] = is_shown(seen, margin, level)
        return Certificate(0.0, 1.0, 0.0 if self.known[key] else 1.0, margin, level, *first.shape)


ALIKE: dict[str, dict[str, float]] = {
    "better than random, alike": {},
    "better than random, seeds differ by 1 point": {"seed_std": 0.01},
    "better than random, 2 % lost, more gain seldom": {"lost": 0.02},
    "better than random, 0.3 % lost, more gain seldom": {"lost": 0.003},
}


def better_worlds() -> Iterator[World]:
    """Random and pruned sets that are equally good."""
    for kind, options in ALIKE.items():
        rate, std = options.get("lost", 0.02), options.get("seed_std", 0.0)
        for m in TEST_SIZES:
            for seeds in SEEDS:
                for same in (True, False):
                    yield World(kind, m, seeds, 0.0, rate, rate, same, seed_std=std)


def false_gains(world: World, count: int) -> int:
    """In how many worlds any of three sizes is said to be better than random.

    By ``superiority`` and ``certificate`` as ``SizeResult.is_better`` asks them; the dearer tests
    only where the others have rejected.
    """
    rng = np.random.default_rng(zlib.crc32(repr(world).encode()))
    return sum(any(_is_better(world, rng) for _ in range(3)) for _ in range(count))


def _is_better(world: World, rng: np.random.Generator) -> bool:
    if "seldom" in world.kind:
        each = _seldom(world, rng)
    else:
        lost, gained = draw(world, rng)
        each = lost.astype(np.int64) - gained  # random less pruned
    level = BETTER_LEVEL / 3
    return (
        t_p_value(each) <= level
        and randomization_p_value(-each.sum(0)) <= level
        and is_shown(sufficient(each.astype(np.int8)), 0.0, 0.05)
    )


def _seldom(world: World, rng: np.random.Generator) -> np.ndarray:
    """Some examples are lost in every seed; more are gained, each in a quarter of the seeds.

    Random less pruned, so that a gain is -1. Where the losses are the same in every seed the
    quarter is the first seeds', one at least.
    """
    u = rng.random((1, world.examples), np.float32)
    share = 0.25
    if world.same:
        gaining = np.arange(world.seeds)[:, None] < max(1, world.seeds // 4)
        share = float(gaining.mean())
    else:
        gaining = rng.random((world.seeds, world.examples), np.float32) < share
    return (u > 1 - world.losses).astype(np.int64) - ((u < world.losses / share) & gaining)


def show(rows: list[dict], console: Console) -> None:
    """The largest count over seeds, and losses same or fresh, of each kind and test set."""
    table = Table(title=f"false claims of {rows[0]['worlds']:,}, most over the seeds")
    for head in ("world", *(f"m = {m:,}" for m in TEST_SIZES)):
        table.add_column(head, justify="left" if head == "world" else "right")
    for kind in dict.fromkeys(row["kind"] for row in rows):
        of = [row for row in rows if row["kind"] == kind]
        most = (
            max((r["false"]["certificate"] for r in of if r["examples"] == m), default="")
            for m in TEST_SIZES
        )
        table.add_row(kind, *map(str, most))
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=2000)
    parser.add_argument("--out", type=Path)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="all where none is given")
    given = parser.parse_args()
    rows = []
    asked: list[tuple[World, Callable]] = [(world, false_certificates) for world in search_worlds()]
    asked += [(world, false_gains) for world in better_worlds()]
    for world, simulate in asked:
        if given.kinds and world.kind not in given.kinds:
            continue
        row = {name: getattr(world, name) for name in SHOWN} | {"worlds": given.worlds}
        rows.append(row | {"false": {"certificate": simulate(world, given.worlds)}})
    show(rows, Console(width=120))
    if given.out:
        save(rows, given.out)


if __name__ == "__main__":
    main()
