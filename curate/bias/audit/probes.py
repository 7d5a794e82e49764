"""A few numbers per image for each way in which files may differ."""

from collections.abc import Callable

import numpy as np

from curate.bias.audit.appearance import (
    colour_balance,
    grain,
    hues,
    levels,
    odd_places,
    specks,
    tone,
    uneven_light,
)
from curate.bias.audit.facts import Facts, read_facts
from curate.bias.audit.traces import Traces, read_traces
from curate.bias.sources.source import Source

PROBES = (
    "format",
    "quality",
    "encoding",
    "longest",
    "shortest",
    "aspect",
    "grey",
    "border",
    "across",
    "down",
    "kernel",
    "tilt",
    "blocks",
    "history",
    "phase",
    "tone",
    "uneven light",
    "colour",
    "hues",
    "levels",
    "grain",
)
"""What is looked at; see :func:`probe`."""

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_SAMPLINGS = ("", "4:4:4", "4:2:2", "4:2:0")


def probe(
    source: Source, on_image: Callable[[], None], headers: bool
) -> tuple[dict[str, np.ndarray], list[Facts] | None, list[np.ndarray]]:
    """Measure every image of a source.

    Args:
        source: n examples that are images.
        on_image: called after each.
        headers: whether to read what the files say of themselves.

    Returns:
        For every probe float64 (n, numbers); the headers, if they were read; and of every image
        how far each pixel stands out, int8 (h, w).
    """
    facts: list[Facts] | None = [] if headers else None
    rows: list[dict[str, np.ndarray]] = []
    odd: list[np.ndarray] = []
    for position in range(len(source)):
        image = source.image(position)
        fact = None
        if source.encoded is not None and facts is not None:
            fact = read_facts(source.encoded[position], source.ids[position])
            facts.append(fact)
        traces, places = read_traces(image), odd_places(image)
        seen = {
            "tone": tone(image),
            "uneven light": uneven_light(image),
            "colour": np.zeros(13) if traces.grey else colour_balance(image),
            "hues": np.zeros(24) if traces.grey else hues(image),
            "levels": levels(image),
            "grain": np.append(grain(image), specks(places)),
        }
        rows.append(_numbers(fact, image.shape[1], image.shape[0], traces) | seen)
        odd.append(places)
        on_image()
    return {name: np.stack([row[name] for row in rows]) for name in PROBES}, facts, odd


def _numbers(fact: Facts | None, width: int, height: int, traces: Traces) -> dict[str, np.ndarray]:
    jpeg = fact is not None and fact.format == "JPEG"
    found: dict[str, list[float] | np.ndarray] = {
        "format": [_place(fact.format, _FORMATS), fact.progressive] if fact else [-1, 0],
        "quality": [fact.steps if fact else 0],
        "encoding": [_place(fact.subsampling, _SAMPLINGS) if fact else -1],
        "longest": [np.log(max(width, height))],
        "shortest": [np.log(min(width, height))],
        "aspect": [np.log(width / height)],
        "grey": [traces.grey],
        "border": traces.border,
        "across": np.append(traces.across, traces.beat_across),
        "down": np.append(traces.down, traces.beat_down),
        "kernel": np.concatenate([traces.across, traces.down, traces.mixed]),
        "tilt": traces.tilt,
        # the header of a JPEG tells its quality; its blocks may tell of another one before
        "blocks": np.zeros_like(traces.blocks) if jpeg else traces.blocks,
        "history": traces.blocks if jpeg else np.zeros_like(traces.blocks),
        "phase": traces.phase,
    }
    return {name: np.asarray(values, np.float64) for name, values in found.items()}


def _place(word: str, words: tuple[str, ...]) -> int:
    return words.index(word) if word in words else len(words)
