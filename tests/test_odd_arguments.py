"""Whatever is given to the front doors, what cannot be used is refused in a sentence.

The doors are the functions that ``import curate`` shows, one argument after the other; the values
are of the kinds that other libraries hand over.
"""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

import curate
from curate.retest import near_duplicates

LOGITS, LABELS, IDS = torch.randn(4, 3), torch.tensor([0, 1, 2, 0]), torch.arange(4)


def example_table():
    return pa.table(
        {
            "example_id": np.arange(6),
            "label": [0, 1] * 3,
            "presentations": pa.array([3] * 6, pa.int32()),
            "forgetting_events": pa.array([0, 1, 2, 0, 1, 2], pa.int32()),
            "first_learned": pa.array([1] * 6, pa.int32()),
        }
    )


def recorded():
    recorder = curate.Recorder(4, history=True)
    recorder.update(IDS, LOGITS, LABELS)
    recorder.end_epoch()
    return recorder


VALUES = {
    "none": lambda: None,
    "bool": lambda: True,
    "numpy scalar": lambda: np.int64(5),
    "nan": lambda: float("nan"),
    "word": lambda: "abc",
    "bytes": lambda: b"abc",
    "mapping": lambda: {"a": 1},
    "set": lambda: {1, 2},
    "generator": lambda: (i for i in range(4)),
    "ragged": lambda: [[1], [1, 2]],
    "objects": lambda: np.array([1, "a", None, 2.5], object),
    "complex": lambda: np.array([1j] * 4),
    "negative stride": lambda: np.arange(8)[::-2],
    "big endian": lambda: np.arange(4, dtype=">i4"),
    "above int64": lambda: np.array([2**63 + 1] * 4, np.uint64),
    "huge": lambda: [2**70] * 4,
    "dates": lambda: np.array(["2020-01-01"] * 4, "datetime64[D]"),
    "durations": lambda: np.arange(4).astype("timedelta64[s]"),
    "python dates": lambda: [datetime.date(2020, 1, 1)] * 4,
    "masked": lambda: np.ma.array([1, 2, 3, 0], mask=[0, 1, 0, 0]),
    "series": lambda: pd.Series([0, 1, 2, 3]),
    "categories": lambda: pd.Series(["a", "b", "a", "b"], dtype="category"),
    "arrow": lambda: pa.array([0, None, 2, 3]),
    "chunked": lambda: pa.chunked_array([[0, 1], [2, 3]]),
    "dictionary": lambda: pa.array(["a", "b", "a", "b"]).dictionary_encode(),
    "decimals": lambda: [Decimal(1)] * 4,
    "sparse": lambda: torch.eye(4).to_sparse(),
    "meta": lambda: torch.empty(4, device="meta"),
    "nested": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    "quantized": lambda: torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.qint8),
    "eight bits": lambda: torch.zeros(4, 3).to(torch.float8_e4m3fn),
    "no axis": lambda: torch.tensor(3),
    "many axes": lambda: torch.zeros(4, 1, 1, 1, 1),
    "complex tensor": lambda: torch.zeros(4, 3, dtype=torch.complex64),
    "bool tensor": lambda: torch.ones(4, dtype=torch.bool),
    "empty": lambda: [],
    "words": lambda: ["a", "b", "c", "d"],
    "mixed": lambda: [1, "a", 2, 3],
    "lone surrogates": lambda: ["\ud800"] * 4,
    "memory": lambda: memoryview(b"abcd"),
    "structured": lambda: np.zeros(4, dtype=[("a", "i4")]),
    "object": object,
}

DOORS = {
    "update ids": lambda v, _: curate.Recorder(4).update(v, LOGITS, LABELS),
    "update logits": lambda v, _: curate.Recorder(4).update(IDS, v, LABELS),
    "update labels": lambda v, _: curate.Recorder(4).update(IDS, LOGITS, v),
    "update mask": lambda v, _: curate.Recorder(4).update(IDS, LOGITS, LABELS, v),
    "Recorder": lambda v, _: curate.Recorder(v),
    "track": lambda v, _: curate.Recorder(4, track=v),
    "also": lambda v, _: curate.Recorder(4, also=v),
    "window": lambda v, _: curate.Recorder(4, window=v, also=["dual"]),
    "device": lambda v, _: curate.Recorder(4, device=v),
    "kind": lambda v, _: curate.Recorder(4, kind=v),
    "load_state_dict": lambda v, _: curate.Recorder(4).load_state_dict(v),
    "forgetting_at": lambda v, _: curate.forgetting_at(v, 1),
    "epoch": lambda v, _: curate.forgetting_at(recorded().table(), v),
    "prune": lambda v, _: curate.prune(v, 3),
    "keep": lambda v, _: curate.prune(example_table(), v),
    "by": lambda v, _: curate.prune(example_table(), 3, v),
    "strategy": lambda v, _: curate.prune(example_table(), 3, strategy=v),
    "stratify": lambda v, _: curate.prune(example_table(), 3, stratify=v),
    "ties": lambda v, _: curate.prune(example_table(), 3, ties=v),
    "seed": lambda v, _: curate.prune(example_table(), 3, "random", seed=v),
    "score": lambda v, _: curate.score(v, "forgetting"),
    "score by": lambda v, _: curate.score(example_table(), v),
    "merge": lambda v, _: curate.merge(v),
    "merge one": lambda v, _: curate.merge([example_table(), v]),
    "join": lambda v, _: curate.join(example_table(), v),
    "read": lambda v, folder: curate.read(folder / v if isinstance(v, str) else v),
    "write": lambda v, folder: curate.write(v, folder / "table.parquet"),
    "load": lambda v, _: curate.data.load(v, "train"),
    "split": lambda v, _: curate.data.load("digits", v),
    "with_ids": lambda v, _: curate.data.with_ids(v),
    "suspects": lambda v, _: curate.suspects(v),
    "near_duplicates": lambda v, _: near_duplicates(v),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("door", DOORS)
def test_it_is_taken_or_refused_in_a_sentence(door, tmp_path):
    raw, refusals = {}, []
    for name, value in VALUES.items():
        try:
            DOORS[door](value(), tmp_path)
        except curate.CurateError as error:
            refusals.append(str(error))
        except Exception as error:
            raw[name] = repr(error)[:200]
    assert raw == {}
    assert refusals
    assert all(0 < len(sentence) < 1000 for sentence in refusals)
