"""How often is a certificate false? Counted in simulated worlds whose true loss is the margin.

    python benchmarks/certificates.py [--worlds 2000] [--out benchmarks/results/certificates.json]

In each world a first and a second arm of several seeds answer m test examples. The second loses
(the first is right, it is wrong) and gains with chances whose difference is exactly the margin, so
that every certificate is false: at 5 % there may be 100 in 2,000 worlds, and 116 or fewer in 95
of 100 such counts. Beside it: the same worlds with today's bounds of `paired_difference`, and the
share of certificates where nothing is lost (losses as many as gains).
"""

import argparse
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from curate.stats import look_level, paired_difference
from curate.stats._certificate import sufficient
from curate.stats.gaffke import SeedNoise, p_value

SIZES, SEEDS, LEVEL, ALLOWED = (12, 100, 300, 500, 10_000), (2, 3, 5, 10), 0.05, 116 / 2000


@dataclass(frozen=True)
class World:
    """Chances of a loss and of a gain, per example and seed."""

    kind: str
    examples: int
    seeds: int
    margin: float
    losses: float
    gains: float
    same: bool  # the same examples in every seed, or fresh ones in each
    classes: str = ""  # losses in one of ten classes; test set "stratified" or "drawn"
    seed_std: float = 0.0  # of the loss, from seed to seed
    levels: tuple[float, ...] = (LEVEL,)  # of certificates of new second arms, one after another
    fixed_sequence: bool = False  # the next is asked only where the last was shown
    skewed: bool = field(default=False, repr=False)  # seeds: exponential, not normal


BEYOND = "some seeds are bad"  # beyond what is assumed: skewed instead of normal
SHOWN = ("kind", "examples", "seeds", "margin", "losses", "gains", "same")  # "kind" has the rest


def worlds() -> Iterator[World]:
    for seeds in SEEDS:
        for same in (True, False):
            yield from worlds_of(seeds, same)


def worlds_of(seeds: int, same: bool) -> Iterator[World]:
    for m in SIZES:
        plain = World("losses only", m, seeds, 0.01, 0.01, 0.0, same)
        mixed = replace(plain, kind="losses and gains", losses=0.03, gains=0.02)
        yield plain
        yield mixed
        for classes in ("stratified", "drawn"):
            yield replace(plain, kind=f"one class of ten, {classes}", classes=classes)
        yield replace(mixed, kind="a gain is claimed", losses=0.01, margin=-0.01, levels=(0.025,))
        yield replace(mixed, kind="three sizes in turn", levels=(LEVEL,) * 3, fixed_sequence=True)
        looks = tuple(look_level(k) for k in range(1, 5))
        yield replace(mixed, kind="four looks", levels=looks)
        for std in (0.003, 0.02):
            yield replace(plain, kind=f"seeds differ by {100 * std:g} points", seed_std=std)
        yield replace(plain, kind=BEYOND, seed_std=0.01, skewed=True)
    for m in (500, 10_000):
        fine = World("0.3 points, losses only", m, seeds, 0.003, 0.003, 0.0, same)
        yield fine
        yield replace(fine, kind="0.3 points, losses and gains", losses=0.009, gains=0.006)


def draw(world: World, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Which examples are lost and which are gained: (seeds, examples) bool each."""
    rows = 1 if world.same else world.seeds
    u = rng.random((rows, world.examples), np.float32)
    loss = np.full((world.seeds, world.examples if world.classes else 1), world.losses)
    if world.classes:
        of = np.tile(np.arange(10), world.examples // 10)
        of = np.append(of, rng.permutation(10)[: world.examples - len(of)])
        if world.classes == "drawn":
            of = rng.integers(0, 10, world.examples)
        loss = loss * 10 * (of == 0)
    if world.seed_std:
        normal = rng.standard_normal((world.seeds, 1))
        effect = rng.standard_exponential((world.seeds, 1)) - 1 if world.skewed else normal
        loss = loss + world.seed_std * effect
    gain = world.gains + np.maximum(0, -loss)  # a seed that is better than the first arm
    shape = (world.seeds, world.examples)
    lost, gained = u < loss.astype(np.float32), u > (1 - gain).astype(np.float32)
    return np.broadcast_to(lost, shape), np.broadcast_to(gained, shape)


def is_shown(seen: tuple[np.ndarray, np.ndarray, SeedNoise], margin: float, level: float) -> bool:
    """As ``certificate(...).shown``, without the bound; sooner where it is not shown.

    Noise of the seeds is symmetric about 0, so that it can halve the p-value at most.
    """
    without = p_value(*seen[:2], SeedNoise(0.0, 0.0, 1), margin)
    return without <= 2 * level and p_value(*seen, margin) <= level


def simulate(world: World, count: int) -> dict[str, int]:
    """In how many worlds each bound makes a claim."""
    rng = np.random.default_rng(zlib.crc32(repr(world).encode()))
    claims = {"certificate": 0, "wide_lower": 0, "lower": 0}
    known: dict[tuple, tuple[bool, ...]] = {}
    for _ in range(count):
        shown, asked = np.zeros(3, bool), np.ones(3, bool)
        for level in world.levels:
            lost, gained = draw(world, rng)
            seen = sufficient(lost.astype(np.int8) - gained.astype(np.int8))
            key = seen[0].tobytes(), seen[1].tobytes(), seen[2], level
            if key not in known:
                today = paired_difference(~lost, ~gained)
                known[key] = (
                    is_shown(seen, world.margin, level),
                    today.wide_lower > -world.margin,
                    today.lower > -world.margin,
                )
            shown |= asked & known[key]
            if world.fixed_sequence:
                asked &= known[key]
                if not asked.any():
                    break
        for name, claim in zip(claims, shown, strict=True):
            claims[name] += int(claim)
    return claims


def results(count: int) -> Iterator[dict]:
    for world in track(list(worlds()), "worlds"):
        row = {name: getattr(world, name) for name in SHOWN}
        row |= {"worlds": count, "false": simulate(world, count)}
        if not (world.classes or world.seed_std or len(world.levels) > 1 or world.margin < 0):
            even = replace(world, losses=world.gains)
            row["shown_at_no_loss"] = simulate(even, count if world.gains else 1)
            row["worlds_at_no_loss"] = count if world.gains else 1
        yield row


def show(rows: list[dict], console: Console) -> None:
    """The largest count over seeds, and losses same or fresh, of each kind and test set."""
    for name in ("certificate", "wide_lower", "lower"):
        table = Table(title=f"{name}: false claims of {rows[0]['worlds']:,}, most over the seeds")
        for head in ("world", *(f"m = {m:,}" for m in SIZES)):
            table.add_column(head, justify="left" if head == "world" else "right")
        for kind in dict.fromkeys(row["kind"] for row in rows):
            cells = []
            for m in SIZES:
                of = [r["false"][name] for r in rows if (r["kind"], r["examples"]) == (kind, m)]
                cells.append(str(max(of)) if of else "")
            table.add_row(kind, *cells)
        console.print(table)
    table = Table(
        title="shown where nothing is lost, losses as many as gains; losses same or fresh, seeds"
    )
    table.add_column("margin, losses = gains, m")
    for same in ("same", "fresh"):
        for seeds in SEEDS:
            table.add_column(f"{same}, {seeds}", justify="right")
    asked = [row for row in rows if "shown_at_no_loss" in row]
    for key in dict.fromkeys((row["margin"], row["gains"], row["examples"]) for row in asked):
        of = {
            (row["same"], row["seeds"]): row["shown_at_no_loss"]["certificate"]
            / row["worlds_at_no_loss"]
            for row in asked
            if (row["margin"], row["gains"], row["examples"]) == key
        }
        cells = [f"{of[same, seeds]:.0%}" for same in (True, False) for seeds in SEEDS]
        table.add_row(f"{100 * key[0]:g} points, {key[1]:.1%}, {key[2]:,}", *cells)
    console.print(table)
    assumed = [row for row in rows if row["kind"] != BEYOND]
    over = [row for row in assumed if row["false"]["certificate"] > ALLOWED * row["worlds"]]
    console.print(f"over {ALLOWED:.1%} of the worlds: {len(over)} of {len(assumed)} rows", *over)


def save(rows: list[dict], path: Path) -> None:
    """Write the rows, and keep those of other kinds that the file holds."""
    kinds = {row["kind"] for row in rows}
    before = json.loads(path.read_text()) if path.exists() else []
    lines = [json.dumps(row) for row in (*(r for r in before if r["kind"] not in kinds), *rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[\n{}\n]\n".format(",\n".join(lines)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=2000)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rows = list(results(given.worlds))
    show(rows, Console(width=160))
    if given.out:
        save(rows, given.out)


if __name__ == "__main__":
    main()
