import io
import json

import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console

import curate
from curate.report import inspect
from tests.report.test_write import example_table


def slow_counts(table):
    rows = table.to_pylist()
    presented = [row for row in rows if row["presentations"]]
    never = [row for row in presented if row["first_learned"] is None]
    learned = [row for row in presented if row["first_learned"] is not None]
    return {
        "examples": len(rows),
        "never_presented": len(rows) - len(presented),
        "never_learned": len(never),
        "unlearned_in_some_run": len(never),
        "unforgettable": sum(row["forgetting_events"] == 0 for row in learned),
        "forgotten": sum(row["forgetting_events"] > 0 for row in presented),
    }


def test_counts_histogram_and_ranking_are_right_from_memory_and_file(tmp_path):
    table = example_table(500)
    curate.write(table, tmp_path / "t.parquet")
    for source in (table, tmp_path / "t.parquet"):
        found = inspect(source).to_dict()
        assert found["counts"] == slow_counts(table)
        learned = [row for row in table.to_pylist() if row["first_learned"] is not None]
        events = [row["forgetting_events"] for row in learned]
        assert found["histogram"] == [
            {"forgetting_events": value, "examples": events.count(value)}
            for value in sorted(set(events))
        ]
        ranked = sorted(table.to_pylist(), key=lambda row: -row["forgetting_events"])[:10]
        assert [row["example_id"] for row in found["most_forgotten"]] == [
            row["example_id"] for row in ranked
        ]
        json.dumps(found)


def test_it_prints_plain_text_whatever_the_ids(tmp_path):
    ids = [f"[bold red]{i}[/] \x1b[31m" for i in range(60)]
    console = Console(file=io.StringIO(), width=100)
    console.print(inspect(example_table(ids=ids)))
    shown = console.file.getvalue()
    assert "[bold red]" in shown
    assert "\x1b" not in shown
    for words in ("forgetting_events", "never learned", "█", "Most forgotten", "cat"):
        assert words in shown


def test_a_merged_table_tells_the_unlearned_apart():
    recorders = [curate.Recorder(2) for _ in range(2)]
    import torch

    for seed, recorder in enumerate(recorders):
        logits = torch.tensor([[1.0, 0.0], [float(seed), 0.5]])
        recorder.update([0, 1], logits, torch.tensor([0, 0]))
    counts = inspect(curate.merge([recorder.table() for recorder in recorders])).counts
    assert counts["never_learned"] == 0
    assert counts["unlearned_in_some_run"] == 1
    assert counts["unforgettable"] == 1


def test_what_is_no_example_table_is_named(tmp_path):
    with pytest.raises(curate.CurateError, match="forgetting_events"):
        inspect(pa.table({"example_id": [1], "presentations": np.ones(1)}))
    with pytest.raises(curate.CurateError, match="no file"):
        inspect(tmp_path / "none.parquet")
