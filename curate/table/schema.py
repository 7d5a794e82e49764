"""What the columns of the example table mean, and what its metadata holds."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import pyarrow as pa

from curate.errors import CurateError

SCHEMA_VERSION = 1
"""Raised when a column changes its meaning; a reader refuses tables from a newer one."""

_KEY = b"curate"


Merged = Literal["sum", "mean of presentations", "std of presentations", "mean of runs"]


@dataclass(frozen=True)
class Column:
    """One column of the example table: its Arrow type and what a reader must know of it.

    ``merged`` says how ``curate.merge`` makes the column of several runs from theirs; None where
    it leaves the column out, or makes it in its own way.
    """

    type: pa.DataType | None
    unit: str
    description: str
    source: str
    merged: Merged | None = None


_TONEVA = "Toneva et al., ICLR 2019"
_PLEISS = "Pleiss et al., NeurIPS 2020"
_SWAYAMDIPTA = "Swayamdipta et al., EMNLP 2020"
_PAUL = "Paul et al., NeurIPS 2021"
_CHO = "Cho et al., ICML 2025"
_HE = "He et al., CVPR 2024"
_ZHANG = "Zhang et al., CVPR 2024"
_RECHT = "Recht et al., 2018"
_KOH = "Koh & Liang, ICML 2017"
_GHORBANI = "Ghorbani et al., AAAI 2019"
_ANANI = "Anani et al., ICML 2025"
_INT, _FLOAT = pa.int32(), pa.float64()

COLUMNS: dict[str, Column] = {
    "example_id": Column(None, "id", "stable id of the example, int64 or string", "curate.data"),
    "label": Column(pa.int64(), "class index", "the label at its last presentation", "curate.data"),
    "presentations": Column(
        _INT,
        "presentations",
        "appearances in a minibatch on which a step was taken",
        _TONEVA,
        merged="sum",
    ),
    "correct": Column(
        _INT,
        "presentations",
        "presentations with argmax(logits) == label",
        "curate.record",
        merged="sum",
    ),
    "forgetting_events": Column(
        _INT, "events", "correct at one presentation, wrong at the next", _TONEVA, merged="sum"
    ),
    "learning_events": Column(
        _INT, "events", "wrong at one presentation, correct at the next", _TONEVA, merged="sum"
    ),
    "first_learned": Column(
        None,
        "presentations",
        "presentations needed until first correct (1 = at the first); null: never learned",
        _TONEVA,
    ),
    "non_finite": Column(
        _INT,
        "presentations",
        "presentations whose logits held NaN or infinity: wrong, and left out of the means",
        "curate.record",
        merged="sum",
    ),
    "last_loss": Column(
        _FLOAT,
        "nats",
        "cross-entropy at the last presentation",
        "curate.record",
        merged="mean of runs",
    ),
    "loss_mean": Column(
        _FLOAT,
        "nats",
        "cross-entropy, mean over presentations",
        "curate.record",
        merged="mean of presentations",
    ),
    "margin_last": Column(
        _FLOAT,
        "logits",
        "label's logit minus the largest other one, last presentation",
        _PLEISS,
        merged="mean of runs",
    ),
    "margin_mean": Column(
        _FLOAT,
        "logits",
        "AUM: the margin's mean over presentations",
        _PLEISS,
        merged="mean of presentations",
    ),
    "confidence_mean": Column(
        _FLOAT,
        "probability",
        "softmax probability of the label, mean",
        _SWAYAMDIPTA,
        merged="mean of presentations",
    ),
    "confidence_std": Column(
        _FLOAT,
        "probability",
        "variability: population std of that probability",
        _SWAYAMDIPTA,
        merged="std of presentations",
    ),
    "el2n_mean": Column(
        _FLOAT,
        "probability",
        "EL2N: l2 norm of softmax(logits) - onehot(label), mean",
        _PAUL,
        merged="mean of presentations",
    ),
    "tokens_correct_mean": Column(
        _FLOAT,
        "fraction",
        "sequences: fraction of unpadded tokens correct, mean",
        "curate.record",
        merged="mean of presentations",
    ),
    "dual": Column(
        _FLOAT,
        "probability",
        "DUAL: (1 - mean) std of the label's probability in a window, mean over windows",
        _CHO,
        merged="mean of runs",
    ),
    "dyn_unc": Column(
        _FLOAT,
        "probability",
        "Dyn-Unc: std of the label's probability in a window, mean over windows",
        _HE,
        merged="mean of runs",
    ),
    "tdds": Column(
        _FLOAT,
        "nats squared",
        "TDDS: variance of the change of the distribution in a window, moving average",
        _ZHANG,
        merged="mean of runs",
    ),
    "history": Column(
        pa.list_(pa.bool_()), "outcomes", "correct or not, presentation by presentation", _TONEVA
    ),
    "epoch_ends": Column(
        pa.list_(pa.int32()), "presentations", "presentations seen by each epoch's end", _TONEVA
    ),
    "grand": Column(_FLOAT, "norm", "l2 norm of the example's own loss gradient", _PAUL),
    "cross_fitted_margin": Column(
        _FLOAT, "logits", "margin by models that did not train on the example", _PLEISS
    ),
    "cross_fitted_confidence": Column(
        _FLOAT,
        "probability",
        "probability of the label by models that did not train on the example",
        _SWAYAMDIPTA,
    ),
    "cross_fitted_el2n": Column(
        _FLOAT, "probability", "EL2N by models that did not train on the example", _PAUL
    ),
    "cross_fitted_correct": Column(
        _FLOAT,
        "fraction",
        "models that did not train on the example and predict its label",
        "curate.experiment",
    ),
    "label_margin": Column(
        _FLOAT,
        "log odds",
        "margin of the label by evidence that it has no part in; low = likely wrong",
        "curate.scores",
    ),
    "injected_margin": Column(
        _FLOAT,
        "log odds",
        "the same margin of a wrong label, drawn where the label fits",
        "curate.scores",
    ),
    "influence": Column(
        _FLOAT, "nats", "change of the mean test loss if the example is left out", _KOH
    ),
    "self_influence": Column(
        _FLOAT, "nats", "change of the example's own loss if it is left out", _KOH
    ),
    "duplicate_of": Column(
        None, "id", "the copy of it that is kept; null: it is the one, or has none", _RECHT
    ),
    "nearest_test": Column(
        None, "id", "the test example that it is a copy of; null: it is of none", _RECHT
    ),
    "duplicate_probability": Column(
        _FLOAT, "probability", "that of the likeliest pair of copies that it is in", _RECHT
    ),
    "fragility_spearman": Column(
        _FLOAT, "1", "1 - Spearman's ρ of its saliency map before and after an attack", _GHORBANI
    ),
    "fragility_topk": Column(
        _FLOAT, "fraction", "top pixels of its saliency map that an attack took away", _GHORBANI
    ),
    "fragility_shift": Column(
        _FLOAT, "pixels", "how far an attack moved its saliency map's centre of mass", _GHORBANI
    ),
    "certified_share": Column(
        _FLOAT, "fraction", "pixels of its sparsified saliency map that are certified", _ANANI
    ),
    "runs": Column(_INT, "runs", "merged runs that presented the example", "curate.merge"),
    "runs_learned": Column(_INT, "runs", "merged runs in which it was learned", "curate.merge"),
}
"""Every column that this version writes, in table order."""


def describe(table: pa.Table) -> pa.Table:
    """Attach description, unit and source to every known column's field metadata."""
    fields = []
    for field in table.schema:
        column = COLUMNS.get(field.name)
        if column is not None:
            field = field.with_metadata(
                {"description": column.description, "unit": column.unit, "source": column.source}
            )
        fields.append(field)
    return table.cast(pa.schema(fields, metadata=table.schema.metadata))


def metadata(source: pa.Table | pa.Schema) -> dict[str, Any]:
    """What the table's schema says of its origin.

    Returns:
        ``schema_version``, ``library_version``, and, where known, ``fingerprint`` (of the data
        set), ``class_names`` and ``recording`` (options); empty for a table of another origin.
    """
    schema = source.schema if isinstance(source, pa.Table) else source
    if not isinstance(schema, pa.Schema):
        return {}  # tables of other libraries carry none
    raw = (schema.metadata or {}).get(_KEY)
    if raw is None:
        return {}
    try:
        entries = json.loads(raw)
    except ValueError:
        entries = None
    if not isinstance(entries, dict):
        raise CurateError(
            "table: its schema metadata 'curate' is not a JSON object; write it again with "
            "curate.write"
        )
    return entries


def annotate(table: pa.Table, **entries: object) -> pa.Table:
    """The same table with entries (JSON values) added to its metadata; None removes one."""
    merged: dict[str, Any] = {
        **metadata(table),
        "schema_version": SCHEMA_VERSION,
        "library_version": library_version(),
        **entries,
    }
    kept = {key: value for key, value in merged.items() if value is not None}
    others: Mapping[bytes, bytes] = table.schema.metadata or {}
    return table.replace_schema_metadata({**others, _KEY: json.dumps(kept, sort_keys=True)})


def library_version() -> str:
    """The installed version of curate."""
    try:
        return version("curate-data")
    except PackageNotFoundError:  # a source tree on sys.path, never installed
        return "0+unknown"
