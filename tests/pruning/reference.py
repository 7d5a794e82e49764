"""Slow selections, obviously right: sorted Python lists, one row at a time."""

import math
import statistics
from fractions import Fraction

import pyarrow as pa

from curate.table import hash_ids


def half_up(value):
    return math.floor(Fraction(value) + Fraction(1, 2))


def ranking(scores, hashes):
    """Row numbers, hardest first; of equal scores the smaller hash first."""
    return sorted(range(len(scores)), key=lambda i: (-scores[i], hashes[i]))


def hardest(scores, hashes, keep):
    return set(ranking(scores, hashes)[:keep])


def easiest(scores, hashes, keep):
    return set(sorted(range(len(scores)), key=lambda i: (scores[i], hashes[i]))[:keep])


def random(scores, hashes, keep):
    return set(sorted(range(len(scores)), key=lambda i: hashes[i])[:keep])


def window(scores, hashes, keep, drop_hardest="0.1"):
    cut = half_up(Fraction(drop_hardest) * len(scores))
    return set(ranking(scores, hashes)[cut : cut + keep])


def moderate(scores, hashes, keep):
    if not scores:
        return set()
    n, median = len(scores), statistics.median(scores)

    def distance(i):
        return 0 if scores[i] == median else abs(scores[i] - median)

    return set(sorted(range(n), key=lambda i: (distance(i), hashes[i]))[:keep])


def ccs(scores, hashes, keep, hard_cutoff="0.1", strata=50):
    cut = half_up(Fraction(hard_cutoff) * len(scores))
    rest = ranking(scores, hashes)[cut:]
    finite = [scores[i] for i in rest if math.isfinite(scores[i])] or [0.0]
    low, width = min(finite), (max(finite) - min(finite)) / strata
    bins = [[] for _ in range(strata)]
    for i in rest:
        if scores[i] == math.inf:
            bins[-1].append(i)
        else:
            place = 0 if width == 0 else math.floor((scores[i] - low) / width)
            bins[min(place, strata - 1)].append(i)
    chosen, budget = set(), keep
    for done, members in enumerate(sorted(bins, key=len)):
        share = min(len(members), budget // (strata - done))
        chosen |= set(sorted(members, key=lambda i: hashes[i])[:share])
        budget -= share
    return chosen


def beta(scores, hashes, keep, confidence_mean, beta_c=4.0):
    if not keep:
        return set()
    n = len(scores)
    means = [min(max(m, 2.0**-24), 1 - 2.0**-24) for m in confidence_mean]
    anchor = statistics.fmean(means[i] for i in ranking(scores, hashes)[:10])
    b = 15 * (1 - anchor) * (1 - (1 - keep / n) ** beta_c)
    finite = [score for score in scores if math.isfinite(score)] or [0.0]
    least = Fraction(min(min(finite), 0.0))  # exact: floats may differ by more than a float holds
    moved = [Fraction(min(max(score, min(finite)), max(finite))) - least for score in scores]
    if not any(moved):
        moved = [Fraction(1)] * n
    arrivals = []  # an exponential clock for each row, of the rate of its weight
    for weight, mean, hash_ in zip(moved, means, hashes, strict=True):
        uniform = ((hash_ >> 11) + 0.5) * 2.0**-53
        density = (15 - b) * math.log(mean) + (b - 1) * math.log1p(-mean)
        log = math.log(weight.numerator) - math.log(weight.denominator) if weight else -math.inf
        rate = log + density
        arrivals.append(math.log(-math.log(uniform)) - rate)
    return set(sorted(range(n), key=lambda i: (arrivals[i], hashes[i]))[:keep])


STRATEGIES = {
    "beta": beta,
    "hardest": hardest,
    "easiest": easiest,
    "random": random,
    "window": window,
    "moderate": moderate,
    "ccs": ccs,
}


def class_counts(sizes, share):
    """Largest remainder, by handing out the missing ones one at a time."""
    counts = [math.floor(share * size) for size in sizes]
    total = half_up(share * sum(sizes))
    while sum(counts) < total:
        behind = [share * size - count for size, count in zip(sizes, counts, strict=True)]
        counts[behind.index(max(behind))] += 1
    return counts


def prune(
    rows, scores, keep, strategy, by, stratify=None, never_learned="keep", unknown="error", seed=0
):
    """Ids kept, or None where the request cannot be met; options have their defaults."""
    ids = [row["example_id"] for row in rows]
    purpose = "random" if strategy == "random" else "ties"
    hashes = [int(hash_ids(pa.array([i]), seed=seed, purpose=purpose)[0]) for i in ids]
    dropped, forced = set(), set()
    for i, row in enumerate(rows):
        if never_learned == "drop" and row["presentations"] and row["first_learned"] is None:
            dropped.add(i)
        elif strategy != "random" and math.isnan(scores[i]):
            (forced if unknown == "keep" else dropped).add(i)
    share = Fraction(keep, len(rows)) if isinstance(keep, int) else Fraction(str(keep))
    groups = [(list(range(len(rows))), half_up(share * len(rows)))]
    if stratify:
        members = {}
        for i, row in enumerate(rows):
            members.setdefault(row["label"], []).append(i)
        groups = [members[label] for label in sorted(members)]
        counts = class_counts([len(group) for group in groups], share)
        groups = list(zip(groups, counts, strict=True))
    kept = set()
    for group, count in groups:
        first = [i for i in group if i in forced]
        open_ = [i for i in group if i not in forced and i not in dropped]
        left = count - len(first)
        if not 0 <= left <= len(open_):
            return None
        cut = half_up(Fraction("0.1") * len(open_)) if strategy in ("window", "ccs") else 0
        if left > len(open_) - cut:
            return None
        columns = {}
        if strategy == "beta":
            columns["confidence_mean"] = [rows[i]["confidence_mean"] for i in open_]
        some = STRATEGIES[strategy](
            [scores[i] for i in open_], [hashes[i] for i in open_], left, **columns
        )
        kept |= set(first) | {open_[j] for j in some}
    return {ids[i] for i in kept}
