"""Which cause parts which two sources, and is it not another that brings it about?"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from curate.bias.audit.explained import (
    explains,
    left_by_a_filter,
    lit_by_a_turn,
    moved_by_a_turn,
    on_the_border,
    rank,
)
from curate.bias.audit.grid import Grids
from curate.bias.audit.probe_answers import ProbeAnswers
from curate.bias.audit.same_scenes import SameScenes
from curate.stats import holm

_LEVEL = 0.01
_LEAST = 0.56
"""Accuracy between two sources below which a cause is not worth a warning."""

_LEAST_OF_SCENES = 0.75
"""The same for what scenes may look like, where the scenes differ."""

_AS_MUCH = 0.03
"""How much less than the scenes a turn, or light, may tell, to be what tells."""

_SMOOTHER, _NOISIER, _STANDARD_ERRORS = 0.08, 0.25, 3
"""By how much images are smoother, or noisier, on average, and beyond chance, to have lost their
blocks by it."""

_FAINT, _CLEARER = 0.7, 0.25
"""Accuracy below which a sign may come of a certain cause that parts so much better."""

_NEVER = 2.0
"""An accuracy that nothing reaches."""

_ONE_SIDED = 0.12
"""Accuracy by which one direction must lead for a picture to be squeezed rather than resized."""

_SHARE = 0.5
"""The most that the other direction may then have of its lead over chance."""

_SLIGHT = 0.05
"""p-value at which either direction must show a filter for both together to be asked."""


@dataclass(frozen=True)
class Verdict:
    """Whether one cause tells one pair of sources apart.

    Attributes:
        cause: its name.
        first: index of a source.
        second: index of another.
        accuracy: of telling the two apart by it.
        p_value: exact; for causes that need two signs, the larger.
        of_pixels: seen in pixels rather than read in headers.
        certain: whether scenes cannot look like this, or are the same.
        named: whether it is a shortcut.
        least: accuracy from which on it may be one; 0: the usual one.
        late: whether other signs in the pixels go first.
    """

    cause: str
    first: int
    second: int
    accuracy: float
    p_value: float
    of_pixels: bool
    certain: bool
    named: bool = False
    least: float = 0.0
    late: bool = False

    def __post_init__(self) -> None:
        if not self.least:
            object.__setattr__(self, "least", _LEAST if self.certain else _LEAST_OF_SCENES)


@dataclass(frozen=True)
class _Blocks:
    """Of two sources: how often the place of their blocks tells them apart, where it differs;
    whether only one has blocks; whether the other is smoother, as after resampling, or noisier;
    and whether one was saved coarsely. Blocks of fine JPEGs are weaker after noise, too."""

    moved: tuple[float, float] | None
    in_one: bool
    smoothed: bool
    drowned: bool
    coarse: bool


def verdicts(
    answers: dict[str, ProbeAnswers],
    scenes: SameScenes,
    grids: Grids,
    sharpness: list[np.ndarray],
    noise: list[np.ndarray],
) -> list[Verdict]:
    """Judge every pair by every cause.

    Args:
        answers: answers by probe.
        scenes: whether two sources show the same.
        grids: where the 8×8 blocks of JPEG lie.
        sharpness: of every image of every source, how fast its spectrum falls; high: smooth.
        noise: of every image of every source, how much there is of fine differences in calm places,
            against lively ones; high: noisy.
    """
    judged = []
    for first, second in combinations(range(scenes.sources), 2):
        lacking = grids.in_one(first, second)
        blocks = _Blocks(
            moved=grids.moved(first, second),
            in_one=lacking is not None,
            smoothed=_has_more(sharpness, lacking, first, second, _SMOOTHER),
            drowned=_has_more(noise, lacking, first, second, _NOISIER),
            coarse=grids.is_coarse(first, second),
        )
        judged += list(_of_pair(answers, first, second, scenes.compare(first, second), blocks))
    clear = [
        verdict
        for verdict, beyond in zip(judged, _beyond_chance(judged), strict=True)
        if beyond and verdict.accuracy >= verdict.least
    ]
    named: list[Verdict] = []
    for verdict in sorted(
        clear,
        key=lambda one: (one.late, rank(one.cause, one.of_pixels, one.accuracy), -one.accuracy),
    ):
        if not _brought_about(verdict, named):
            named.append(verdict)
    named = [one for one in named if not on_the_border(one.cause, _accuracies(one, named))]
    return [
        replace(
            verdict,
            named=verdict in named,
            certain=verdict.certain and not is_faint_beside(verdict, named),
        )
        for verdict in judged
    ]


def _of_same_pair(verdict: Verdict, named: list[Verdict]) -> list[Verdict]:
    pair = (verdict.first, verdict.second)
    return [one for one in named if (one.first, one.second) == pair]


def _accuracies(verdict: Verdict, named: list[Verdict]) -> dict[str, float]:
    return {one.cause: one.accuracy for one in _of_same_pair(verdict, named)}


def is_faint_beside(verdict: Verdict, named: list[Verdict]) -> bool:
    """Whether a certain cause of the same pair parts so much better that this may come of it:
    few levels make pictures darker, a cut makes them paler."""
    return (
        verdict.of_pixels
        and verdict.accuracy < _FAINT
        and any(
            other.certain and other.accuracy >= verdict.accuracy + _CLEARER
            for other in _of_same_pair(verdict, named)
        )
    )


def _of_pair(
    answers: dict[str, ProbeAnswers],
    first: int,
    second: int,
    same: tuple[bool, float],
    grid: _Blocks,
) -> Iterator[Verdict]:
    alike, content = same
    signs = {name: probe.pair_accuracy(first, second) for name, probe in answers.items()}

    def verdict(cause: str, sign: tuple[float, float], pixels: bool, certain: bool) -> Verdict:
        return Verdict(cause, first, second, *sign, of_pixels=pixels, certain=certain)

    yield verdict("file format", signs["format"], False, True)
    yield verdict("JPEG quality", signs["quality"], False, True)
    if grid.moved is not None:
        yield verdict("crop offset", grid.moved, True, True)
    else:
        # what came after a JPEG, such as a turn, may have wiped out its blocks
        sure = alike and not grid.in_one and grid.coarse
        traces = verdict("JPEG quality", signs["blocks"], True, sure)
        wiped_out = (grid.smoothed and signs["kernel"][1] < _LEVEL) or (
            grid.drowned and signs["grain"][1] < _LEVEL
        )
        yield replace(
            traces,
            least=_NEVER if wiped_out and alike else _LEAST if alike else 0.0,
            late=wiped_out or not (grid.in_one or grid.coarse),
        )
        if alike:  # how much is left of fine detail in a JPEG is up to the scene as well
            yield verdict("JPEG quality", signs["history"], True, True)
    yield verdict("chroma subsampling", signs["encoding"], False, True)
    yield verdict("resolution", min(signs["longest"], signs["shortest"]), False, True)
    yield verdict("aspect ratio", signs["aspect"], False, True)
    yield verdict("grey or colour", signs["grey"], True, True)
    yield verdict("border", signs["border"], True, alike)
    weaker, stronger = sorted((signs["across"], signs["down"]))
    lead, other = stronger[0] - 0.5, weaker[0] - 0.5
    one_sided = lead - other >= _ONE_SIDED and other <= _SHARE * lead
    in_both = not one_sided and weaker[1] < _SLIGHT
    yield verdict("resizing filter", signs["kernel"] if in_both else weaker, True, alike)
    if one_sided:  # resampled in one direction only
        of_two = (stronger[0], min(1.0, 2 * stronger[1]))  # the better one was picked
        yield verdict("aspect ratio", of_two, True, alike)
    else:
        yield verdict("aspect ratio", signs["tilt"], True, alike)
    for cause, probe in _OF_FILES.items():
        if probe in signs:
            yield verdict(cause, signs[probe], False, True)
    yield verdict("tone", signs["tone"], True, alike)
    uneven = verdict("uneven light", signs["uneven light"], True, alike)
    # a turn by 90° leans outlines to other sides, too
    turned = lit_by_a_turn(uneven.accuracy, signs["orientation"][0])
    uneven = replace(uneven, late=turned and signs["tilt"][1] < _SLIGHT)
    yield _as_much_as_scenes(uneven, content)
    for probe in ("colour", "hues"):
        yield verdict("colour balance", signs[probe], True, alike)
    late = left_by_a_filter(signs["levels"][0], signs["kernel"][0])
    yield replace(verdict("levels", signs["levels"], True, alike), late=late)
    # colours that are paler have less grain of their own, too
    of_light = signs["light grain"][1] < _SLIGHT
    yield verdict("grain or sharpness", signs["grain"], True, alike and of_light)
    place = verdict("fixed place", signs["place"], True, alike)
    yield replace(place, late=moved_by_a_turn(place.accuracy, signs["orientation"][0]))
    yield _as_much_as_scenes(verdict("orientation", signs["orientation"], True, alike), content)


def _as_much_as_scenes(verdict: Verdict, content: float) -> Verdict:
    """A turn, or a change of light, is a difference of scenes as well: it is named where it tells
    about as much as they do."""
    return replace(verdict, least=_LEAST) if verdict.accuracy >= content - _AS_MUCH else verdict


_OF_FILES = {
    "stored mode": "mode",
    "metadata": "metadata",
    "writer": "writer",
    "file names": "names",
    "labels": "labels",
}


def _has_more(
    amounts: list[np.ndarray], lacking: int | None, first: int, second: int, least: float
) -> bool:
    """Whether images of the source that lacks blocks have more, by so much and beyond chance."""
    if lacking is None:
        return False
    own, other = amounts[lacking], amounts[first + second - lacking]
    error = np.sqrt(own.var() / len(own) + other.var() / len(other)) + 1e-9
    return bool(own.mean() - other.mean() > max(least, _STANDARD_ERRORS * error))


def _beyond_chance(judged: list[Verdict]) -> list[bool]:
    """Which verdicts are significant at the 1 % level over all of them (Holm)."""
    adjusted = holm(np.array([verdict.p_value for verdict in judged]))
    return (adjusted <= _LEVEL).tolist()


def _brought_about(verdict: Verdict, named: list[Verdict]) -> bool:
    """Whether a cause that is named for the same pair explains this one."""
    return any(
        explains(other.cause, other.accuracy, verdict.cause, verdict.of_pixels, verdict.accuracy)
        for other in _of_same_pair(verdict, named)
    )
