"""How many examples of each sub-class a new set shall have."""

import math
from collections.abc import Mapping
from fractions import Fraction

from curate.errors import CurateError, is_choice

RULES = ("v4", "v6")


def sample_sizes(
    counts: Mapping[str, int],
    n: int,
    rule: str = "v6",
    *,
    classes: Mapping[str, object] | None = None,
    total: int | None = None,
) -> dict[str, int]:
    """The sizes of the sub-classes of a new set, by the rules of CIFAR-10.1.

    "v4": a sub-class of c examples gets x = c·n/total: none where x < 1/2, else x rounded up.
    The sum is about n. "v6": every class gets an equal part of n, and divides it among its
    sub-classes in proportion to c by the largest remainder; of equal remainders the larger c
    comes first, then the one that is named first. The sum is n.

    Args:
        counts: sub-class -> examples of it in the original set.
        n: how many examples the new set shall have, about.
        rule: "v4" or "v6".
        classes: sub-class -> its class; None: all are of one. "v4" does not ask.
        total: examples of the original set, where ``counts`` are of its frequent sub-classes
            only; None: their sum. "v6" does not ask.

    Raises:
        CurateError: an unknown rule, no sub-class, a count below 0, a sub-class without a class,
            or an n that is not a multiple of the number of classes.
    """
    if not is_choice(rule, RULES):
        raise CurateError(f"rule: {rule!r}; give 'v4' or 'v6'")
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise CurateError(f"n: {n!r}; give the number of examples, at least 1")
    bad = next((name for name, count in counts.items() if count < 0), None)
    if bad is not None:
        raise CurateError(f"counts: {bad!r} has {counts[bad]}; give counts from 0 on")
    whole = sum(counts.values())
    if not whole:
        raise CurateError("counts: there is no example; give those of the original set")
    if rule == "v4":
        of = whole if total is None else total
        if of < whole:
            raise CurateError(f"total: {of} is less than the {whole} examples of counts")
        shares = {name: Fraction(count * n, of) for name, count in counts.items()}
        return {name: 0 if 2 * x < 1 else math.ceil(x) for name, x in shares.items()}
    return _largest_remainder(counts, n, classes)


def _largest_remainder(
    counts: Mapping[str, int], n: int, classes: Mapping[str, object] | None
) -> dict[str, int]:
    missing = [name for name in counts if classes is not None and name not in classes]
    if missing:
        raise CurateError(f"classes: {missing[0]!r} is not in it; name the class of every one")
    members: dict[object, list[str]] = {}
    for name in counts:
        members.setdefault(None if classes is None else classes[name], []).append(name)
    if n % len(members):
        raise CurateError(f"n: {n} is not a multiple of the {len(members)} classes; give one")
    quota = n // len(members)
    sizes = dict.fromkeys(counts, 0)
    for label, names in members.items():
        whole = sum(counts[name] for name in names)
        if not whole:
            raise CurateError(f"counts: class {label!r} has no example; leave it out")
        exact = {name: Fraction(counts[name] * quota, whole) for name in names}
        for name in names:
            sizes[name] = math.floor(exact[name])
        order = sorted(names, key=lambda name: (sizes[name] - exact[name], -counts[name]))
        for name in order[: quota - sum(sizes[name] for name in names)]:
            sizes[name] += 1
    return sizes
