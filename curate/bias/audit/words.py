"""What files say in words: stored mode, metadata, writer, names; and labels."""

from collections.abc import Sequence

import numpy as np

from curate.bias.audit.across_images import name_pattern, word_numbers
from curate.bias.audit.facts import Facts
from curate.bias.sources.source import Source


def words_of(
    sources: Sequence[Source], facts: Sequence[list[Facts] | None]
) -> dict[str, np.ndarray]:
    """Probes, float64 (n, numbers), of all images of all sources.

    Headers where all are files; names where all ids are text; labels where all sources have them
    and share two classes or more.
    """
    found: dict[str, np.ndarray] = {}
    read = [fact for own in facts if own is not None for fact in own]
    if all(own is not None for own in facts):
        found["mode"] = word_numbers([fact.mode for fact in read])
        found["metadata"] = word_numbers([fact.metadata for fact in read])
        found["writer"] = word_numbers([fact.writer for fact in read])
    if all(isinstance(source.ids, list) for source in sources):
        names = [str(name) for source in sources for name in source.ids]
        shapes = word_numbers([name_pattern(name) for name in names])
        lengths = np.array([[len(name.rsplit("/", 1)[-1])] for name in names])
        found["names"] = np.hstack([shapes, lengths, word_numbers([_ending(n) for n in names])])
    labels = [_labels(source) for source in sources]
    if all(own is not None for own in labels):
        shared = set.intersection(*(set(own) for own in labels if own is not None))
        if len(shared) >= 2:
            found["labels"] = word_numbers([label for own in labels for label in own or ()])
    return found


def _ending(name: str) -> str:
    return name.rsplit(".", 1)[-1].lower() if "." in name else ""


def _labels(source: Source) -> list[str] | None:
    if source.labels is None:
        return None
    labels = source.labels.tolist()
    names = source.class_names
    if names is None or max(labels, default=0) >= len(names):
        return [str(label) for label in labels]
    return [names[label] for label in labels]
