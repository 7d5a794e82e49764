"""Out-of-fold probabilities: what the classifier says of examples that it never saw."""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from curate.bias.classifiers.fitting import Fit, Inputs, Scorer, gathered, scored
from curate.bias.identification.splits import draw_equal
from curate.bias.sources.source import Source
from curate.data.ids import as_arrow

_SAMPLE = 20_000  # scores that decide a temperature
_TEMPERATURES = np.geomspace(0.02, 50, 200)


def out_of_fold(
    inputs: Inputs,
    groups: Sequence[np.ndarray],
    folds: Sequence[np.ndarray],
    train_size: int,
    fit: Fit,
    rng: np.random.Generator,
    *,
    first: Scorer,
    whole: bool,
    on_fold: Callable[[], None],
) -> list[Tensor]:
    """For every source, logits (n, sources) of its examples, each by a fit without its fold.

    Each fit sees equally many examples of every source, ``train_size`` at most; the logits are
    divided by a temperature that is chosen on the other folds, so that their softmax is
    calibrated for sources of equal size.

    Args:
        inputs: features or pixels of every source.
        groups: marks of equal images, of every source.
        folds: the fold of every example, of every source.
        train_size: examples of each source that a fit sees at most.
        fit: the classifier.
        rng: draws the training examples.
        first: the classifier that was fitted without fold 0.
        whole: score all rows of a fold at once.
        on_fold: called after every fold.
    """
    count = 1 + max(int(own.max()) for own in folds)
    logits = [torch.zeros(len(own), len(inputs)) for own in folds]
    for fold in range(count):
        score = first
        if fold:
            allowed = [own != fold for own in folds]
            x, y = gathered(inputs, draw_equal(groups, allowed, train_size, rng))
            score = fit(x, y, len(inputs))
            del x
        if whole:  # a classifier that sees its test examples sees all of a fold together
            _score_together(score, inputs, folds, fold, logits)
        else:
            for part, own, found in zip(inputs, folds, logits, strict=True):
                rows = np.flatnonzero(own == fold)
                if len(rows):
                    found[rows] = scored(score, part, rows, whole=False)
        on_fold()
    temperatures = [_temperature(logits, [own != fold for own in folds]) for fold in range(count)]
    for own, found in zip(folds, logits, strict=True):
        found /= torch.tensor(temperatures, dtype=found.dtype)[torch.from_numpy(own)][:, None]
    return logits


def probability_table(sources: Sequence[Source], logits: Sequence[Tensor]) -> pa.Table:
    """The columns source, example_id, ``p_<source>`` for every source, source_margin.

    The margin is the logit of the example's own source minus the largest other logit. Ids are
    strings if those of any source are.
    """
    names = [source.name for source in sources]
    tables = []
    strings = any(isinstance(source.ids, list) for source in sources)
    for position, (source, own) in enumerate(zip(sources, logits, strict=True)):
        ids = as_arrow(source.ids)
        others = own.clone()
        others[:, position] = -torch.inf
        columns = {
            "source": pa.DictionaryArray.from_arrays(
                pa.array(np.full(len(own), position, np.int32)), pa.array(names)
            ),
            "example_id": ids.cast(pa.string()) if strings else ids,
        }
        probabilities = own.double().softmax(1).numpy()
        for name, column in zip(names, probabilities.T, strict=True):
            columns[f"p_{name}"] = pa.array(np.ascontiguousarray(column))
        margin = own[:, position] - others.amax(1)
        columns["source_margin"] = pa.array(margin.double().numpy())
        tables.append(pa.table(columns))
    kinds = {source.name: str(as_arrow(source.ids).type) for source in sources}
    return pa.concat_tables(tables).combine_chunks().replace_schema_metadata(kinds)


def _score_together(
    score: Scorer,
    inputs: Inputs,
    folds: Sequence[np.ndarray],
    fold: int,
    logits: list[Tensor],
) -> None:
    rows = [np.flatnonzero(own == fold) for own in folds]
    x = torch.cat(
        [
            torch.as_tensor(part)[torch.from_numpy(own)]
            for part, own in zip(inputs, rows, strict=True)
        ]
    )
    start = 0
    found = score(x)
    for own, place in zip(rows, logits, strict=True):
        place[own] = found[start : start + len(own)]
        start += len(own)


def _temperature(logits: Sequence[Tensor], allowed: Sequence[np.ndarray]) -> float:
    """The divisor of the allowed logits with the best likelihood; sources weigh the same."""
    parts, labels, weights = [], [], []
    for source, (own, mask) in enumerate(zip(logits, allowed, strict=True)):
        rows = np.flatnonzero(mask)
        step = max(1, len(rows) * len(logits) // _SAMPLE)
        parts.append(own[torch.from_numpy(rows[::step])].double())
        labels.append(torch.full((len(parts[-1]),), source))
        weights.append(
            torch.full((len(parts[-1]),), 1.0 / max(1, len(parts[-1])), dtype=torch.float64)
        )
    x, y, w = torch.cat(parts), torch.cat(labels), torch.cat(weights)

    def loss(temperature: float) -> float:
        own = torch.nn.functional.cross_entropy(x / temperature, y, reduction="none")
        return float((own * w).sum())

    return float(min(_TEMPERATURES, key=loss))
