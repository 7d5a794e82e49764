"""The nuisance audit: how much of the accuracy is in the files rather than in the scenes?"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from curate.bias.audit.across_images import odd_place_numbers, orientation, upper_against_lower
from curate.bias.audit.appearance import OF_COLOURS, properties
from curate.bias.audit.equalise import equalised
from curate.bias.audit.facts import Facts
from curate.bias.audit.grid import Grids
from curate.bias.audit.probe_answers import ProbeAnswers, fit_probe
from curate.bias.audit.probes import probe
from curate.bias.audit.result import Audit, Equalised
from curate.bias.audit.same_scenes import SameScenes
from curate.bias.audit.shortcut import CAUSES, OF_HEADERS, OF_NAMES, Shortcut, shortcut
from curate.bias.audit.verdicts import Verdict, verdicts
from curate.bias.audit.words import words_of
from curate.bias.classifiers.linear import fit_linear
from curate.bias.sources.opening import as_sources
from curate.bias.sources.source import Source
from curate.errors import CurateError
from curate.features import hog, pixels
from curate.stats.exact import binomial_p_value, clopper_pearson
from curate.stats.seeds import generator

_EXAMINED = 1000
_EXAMINED_OF_ALL = 6000


def nuisance_audit(
    sources: Mapping[str, Any] | Iterable[Any],
    *,
    seed: int = 0,
    errors: str = "raise",
    on_progress: Callable[[int, int], None] | None = None,
) -> Audit:
    """Ask what tells the files of sources apart, whatever they show.

    Half of the images train small classifiers, one for each cause, on what headers say (format,
    JPEG quality and subsampling, size) and on traces in the pixels (grey, border, slope and
    periods of the spectrum in both directions, JPEG's grid of blocks); the other half judges
    them. A cause is named for a pair of sources when it parts them well and beyond chance, over
    all causes and pairs at the 1 % level (Holm), and when no other cause brings it about. Where
    the images of some source are bare pixels, only pixels are compared.

    Args:
        sources: two or more, of images, as for :func:`curate.bias.as_sources`; up to 1,000
            images of each are read, and about 6,000 in all.
        seed: of the draw and of the halves.
        errors: "raise" or "skip" broken images, as in :func:`curate.bias.as_sources`.
        on_progress: called with the images done and their number.

    Raises:
        CurateError: fewer than two sources, features instead of images, too few examples, a torn
            image.
    """
    opened = as_sources(sources, errors=errors)
    if len(opened) < 2:
        raise CurateError(f"sources: {len(opened)}; give two or more to tell apart")
    most = min(_EXAMINED, max(8, _EXAMINED_OF_ALL // len(opened)))
    taken = [_sample(source, most, seed) for source in opened]
    done, total = 0, sum(map(len, taken))

    def count() -> None:
        nonlocal done
        done += 1
        if on_progress is not None:
            on_progress(done, total)

    headers = all(source.encoded is not None for source in taken)
    measured, maps = [], []
    for source in taken:
        numbers, read, odd = probe(source, count, headers)
        measured.append((numbers, read))
        maps += odd
    y = np.repeat(np.arange(len(taken)), [len(source) for source in taken])
    train = np.concatenate([np.arange(len(source)) % 2 == 0 for source in taken])
    answers = {
        name: fit_probe(np.concatenate([numbers[name] for numbers, _ in measured]), y, train, seed)
        for name in measured[0][0]
    }
    facts = [fact for _, fact in measured]
    others = words_of(taken, facts) | {"place": odd_place_numbers(maps, y, train)}
    of_light = [np.delete(numbers["grain"], OF_COLOURS, axis=1) for numbers, _ in measured]
    others["light grain"] = np.concatenate(of_light)
    del maps
    answers |= {name: fit_probe(numbers, y, train, seed) for name, numbers in others.items()}
    everything = np.concatenate([np.hstack(list(numbers.values())) for numbers, _ in measured])
    answers["all"] = fit_probe(everything, y, train, seed)
    grey = answers["grey"].count_right()
    mixed = grey[0] / grey[1] > 1.5 / len(taken)
    shown = [pixels(source) for source in taken]
    seen, light = torch.cat(list(map(hog, shown))), torch.cat(list(map(upper_against_lower, shown)))
    del shown
    alike = torch.cat([hog(equalised(source, grey=mixed)) for source in taken])
    before, after = _content(seen, y, train), _content(alike, y, train)
    answers["orientation"] = orientation(seen, light, y, train)
    sharpness = [numbers["kernel"][:, 0] + numbers["kernel"][:, 9] for numbers, _ in measured]
    grids = Grids(taken, [np.arange(0, len(source), 2) for source in taken])
    noise = [numbers["grain"][:, 4] for numbers, _ in measured]
    decided = verdicts(answers, SameScenes(alike, y, train), grids, sharpness, noise)
    names = [source.name for source in opened]
    return Audit(
        table=_table(answers, before, headers),
        pairs=_pairs(decided, names),
        equalised=_equalised(before, after),
        warnings=tuple(_shortcuts(decided, names, facts)),
        examined=max(map(len, taken)),
        headers=headers,
        properties=properties(names, [numbers for numbers, _ in measured], facts),
    )


def _sample(source: Source, most: int, seed: int) -> Source:
    if not source.has_images:
        raise CurateError(f"source {source.name!r}: its examples are features; audit images")
    if len(source) < 8:
        raise CurateError(f"source {source.name!r}: {len(source)} images; an audit needs 8 or more")
    rows = generator(seed, 6).permutation(len(source))[:most]
    return source.take(rows)


def _content(x: torch.Tensor, y: np.ndarray, train: np.ndarray) -> ProbeAnswers:
    """What a linear classifier makes of the images themselves."""
    labels, learn = torch.from_numpy(y), torch.from_numpy(train)
    model = fit_linear(x[learn], labels[learn], int(y.max()) + 1)
    return ProbeAnswers(y[~train], model.scores(x[~learn]).double().numpy())


def _table(answers: dict[str, ProbeAnswers], before: ProbeAnswers, headers: bool) -> pa.Table:
    """One row per cause: the strongest of several probes, the weaker of both directions."""
    chance = 1 / before.scores.shape[1]
    right, tested = before.count_right()
    gain = max(right / tested - chance, 1e-9)
    rows = []
    for cause in (*CAUSES, *OF_NAMES, "all together"):
        if not headers and cause in OF_HEADERS:
            continue
        if cause in OF_NAMES and OF_NAMES[cause] not in answers:
            continue
        right, tested = _of_cause(cause, answers)
        low, high = clopper_pearson(right, tested)
        accuracy = right / tested
        rows.append(
            {
                "cause": cause,
                "accuracy": accuracy,
                "chance": chance,
                "low": low,
                "high": high,
                "p_value": binomial_p_value(right, tested, chance),
                "explained": min(1.0, (accuracy - chance) / gain) if low > chance else 0.0,
            }
        )
    return pa.Table.from_pylist(rows)


def _of_cause(cause: str, answers: dict[str, ProbeAnswers]) -> tuple[int, int]:
    both = {"resolution": ("longest", "shortest"), "resizing filter": ("across", "down")}
    either = {
        "file format": ("format",),
        "JPEG quality": ("quality", "blocks", "history"),
        "chroma subsampling": ("encoding",),
        "aspect ratio": ("aspect", "tilt"),
        "grey or colour": ("grey",),
        "border": ("border",),
        "stored mode": ("mode",),
        "metadata": ("metadata",),
        "writer": ("writer",),
        "file names": ("names",),
        "labels": ("labels",),
        "tone": ("tone",),
        "uneven light": ("uneven light",),
        "colour balance": ("colour", "hues"),
        "levels": ("levels",),
        "grain or sharpness": ("grain",),
        "fixed place": ("place",),
        "crop offset": ("phase",),
        "orientation": ("orientation",),
        "all together": ("all",),
    }
    if cause in both:
        return min(answers[name].count_right() for name in both[cause])
    return max(answers[name].count_right() for name in either[cause])


def _pairs(decided: list[Verdict], names: list[str]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "cause": verdict.cause,
                "first": names[verdict.first],
                "second": names[verdict.second],
                "accuracy": verdict.accuracy,
                "p_value": verdict.p_value,
                "named": verdict.named,
            }
            for verdict in decided
        ]
    )


def _equalised(before: ProbeAnswers, after: ProbeAnswers) -> Equalised:
    (right, tested), (later, asked) = before.count_right(), after.count_right()
    return Equalised(
        before=right / tested,
        before_interval=clopper_pearson(right, tested),
        after=later / asked,
        after_interval=clopper_pearson(later, asked),
        chance=1 / before.scores.shape[1],
    )


def _shortcuts(
    decided: list[Verdict], names: list[str], facts: list[list[Facts] | None]
) -> list[Shortcut]:
    shortcuts = []
    for cause in (*CAUSES, *OF_NAMES):
        named = [verdict for verdict in decided if verdict.cause == cause and verdict.named]
        if named:
            pairs = [
                (verdict.first, verdict.second, verdict.accuracy, verdict.certain)
                for verdict in named
            ]
            of_pixels = all(verdict.of_pixels for verdict in named)
            shortcuts.append(shortcut(cause, pairs, names, facts, of_pixels))
    return sorted(shortcuts, key=lambda one: (not one.certain, -one.accuracy))
