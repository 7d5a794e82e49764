"""Which cause parts which two sources, and is it not another that brings it about?"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from curate.bias.audit.probe_answers import ProbeAnswers
from curate.stats import holm

_LEVEL = 0.01
_LEAST = 0.56
"""Accuracy between two sources below which a cause is not worth a warning."""

_LEAST_OF_SCENES = 0.75
"""The same for what scenes may look like, where the scenes differ."""

_ALIKE = 0.7
"""Accuracy after equalising up to which two sources show the same scenes."""

_FRAMED = 0.9
"""Accuracy from which on a border is one, however the files were saved."""

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
    """

    cause: str
    first: int
    second: int
    accuracy: float
    p_value: float
    of_pixels: bool
    certain: bool
    named: bool = False


def verdicts(answers: dict[str, ProbeAnswers], content: ProbeAnswers) -> list[Verdict]:
    """Judge every pair by every cause.

    Args:
        answers: answers by probe.
        content: answers on equalised images.
    """
    sources = range(content.scores.shape[1])
    judged = []
    for first, second in combinations(sources, 2):
        alike = content.pair_accuracy(first, second)[0] <= _ALIKE
        judged += list(_of_pair(answers, first, second, alike))
    clear = [
        verdict
        for verdict, beyond in zip(judged, _beyond_chance(judged), strict=True)
        if beyond and verdict.accuracy >= (_LEAST if verdict.certain else _LEAST_OF_SCENES)
    ]
    named: list[Verdict] = []
    for verdict in sorted(clear, key=lambda verdict: (_rank(verdict), -verdict.accuracy)):
        if not _brought_about(verdict, named):
            named.append(verdict)
    return [replace(verdict, named=verdict in named) for verdict in judged]


def _of_pair(
    answers: dict[str, ProbeAnswers], first: int, second: int, alike: bool
) -> Iterator[Verdict]:
    signs = {name: probe.pair_accuracy(first, second) for name, probe in answers.items()}

    def verdict(cause: str, sign: tuple[float, float], pixels: bool, certain: bool) -> Verdict:
        return Verdict(cause, first, second, *sign, of_pixels=pixels, certain=certain)

    yield verdict("file format", signs["format"], False, True)
    yield verdict("JPEG quality", signs["quality"], False, True)
    yield verdict("JPEG quality", signs["blocks"], True, True)
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


def _beyond_chance(judged: list[Verdict]) -> list[bool]:
    """Which verdicts are significant at the 1 % level over all of them (Holm)."""
    adjusted = holm(np.array([verdict.p_value for verdict in judged]))
    return (adjusted <= _LEVEL).tolist()


def _rank(verdict: Verdict) -> int:
    """What can be the cause of others without being their effect comes first."""
    if verdict.cause in ("file format", "grey or colour"):
        return 0
    return 2 if verdict.of_pixels else 1


def _brought_about(verdict: Verdict, named: list[Verdict]) -> bool:
    """Whether a cause that is named for the same pair explains this one."""
    resampled, saved = {"resolution", "aspect ratio"}, {"file format", "JPEG quality"}
    explained_by = {
        ("JPEG quality", False): {"file format"},
        # resampling wipes out the grid of blocks
        ("JPEG quality", True): {*resampled, *saved, "resizing filter"},
        ("chroma subsampling", False): {"file format", "grey or colour"},
        ("resizing filter", True): {*resampled, *saved},
        ("aspect ratio", True): {*resampled, *saved, "resizing filter"},
        ("border", True): {*resampled, "resizing filter"},
    }.get((verdict.cause, verdict.of_pixels), set())
    if verdict.cause == "border" and verdict.accuracy < _FRAMED:
        explained_by |= saved  # coarse quantisation ripples at a flat edge, too
    return any(
        (other.first, other.second) == (verdict.first, verdict.second)
        and other.cause in explained_by
        for other in named
    )
