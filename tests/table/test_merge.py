import numpy as np
import pyarrow as pa
import pytest
import torch

import curate
from tests.record.reference import Reference

SUMMED = ("presentations", "correct", "forgetting_events", "learning_events", "non_finite")
MEANS = ("loss_mean", "margin_mean", "confidence_mean", "confidence_std", "el2n_mean")


def run(seed, n=12, batches=6, track="all", ids=None):
    generator = torch.Generator().manual_seed(seed)
    recorder = curate.Recorder(ids or n, track=track)
    batches = [
        (torch.randint(0, n - 2, (5,), generator=generator), torch.randn(5, 3, generator=generator))
        for _ in range(batches)
    ]
    for rows, logits in batches:
        if seed == 2:
            logits[0, 0] = torch.nan
        given = rows if ids is None else [ids[i] for i in rows]
        recorder.update(given, logits, rows % 3)
    return recorder.table(), batches


def assert_same(one, other):
    assert one.column_names == other.column_names
    for name in one.column_names:
        if one[name].type == pa.float64():
            np.testing.assert_allclose(
                one[name].to_numpy(), other[name].to_numpy(), rtol=1e-9, atol=1e-12, err_msg=name
            )
        else:
            assert one[name].to_pylist() == other[name].to_pylist(), name


def test_counts_are_sums_and_means_are_of_all_presentations():
    runs = [run(seed) for seed in range(4)]
    merged = curate.merge([table for table, _ in runs])
    together = Reference()
    for _, batches in runs:
        for rows, logits in batches:
            together.update(rows.tolist(), logits, (rows % 3).tolist())
    tables = [table.to_pylist() for table, _ in runs]
    for i, row in enumerate(merged.to_pylist()):
        of_runs = [table[i] for table in tables]
        presented = [r for r in of_runs if r["presentations"]]
        for name in SUMMED:
            assert row[name] == (
                sum(r[name] for r in presented) if presented or name in "presentations" else None
            )
        assert row["runs"] == len(presented)
        first = [r["first_learned"] for r in presented if r["first_learned"] is not None]
        assert row["runs_learned"] == len(first)
        assert row["first_learned"] == (pytest.approx(np.mean(first)) if first else None)
        lasts = [r["last_loss"] for r in presented]
        known = bool(lasts) and None not in lasts
        assert row["last_loss"] == (pytest.approx(np.mean(lasts)) if known else None)
        expected = together.row(i)
        for name in MEANS:
            want = expected.get(name)
            assert row[name] == (None if want is None else pytest.approx(want, rel=1e-5, abs=1e-6))


def test_merging_is_associative_and_of_one_run_changes_nothing():
    a, b, c = (run(seed)[0] for seed in (1, 2, 3))
    assert_same(curate.merge([curate.merge([a, b]), c]), curate.merge([a, b, c]))
    assert_same(curate.merge([curate.merge([a])]), curate.merge([a]))
    alone = curate.merge([a])
    for name in (*SUMMED, *MEANS, "last_loss", "margin_last", "label", "example_id"):
        if alone[name].type == pa.float64():
            np.testing.assert_allclose(alone[name].to_numpy(), a[name].to_numpy(), rtol=1e-12)
        else:
            assert alone[name].to_pylist() == a[name].to_pylist()


def test_the_order_of_rows_and_the_kind_of_ids_do_not_matter():
    ids = [f"x{i}" for i in range(12)]
    a, b = run(1, ids=ids)[0], run(2, ids=ids)[0]
    shuffled = b.take(np.random.default_rng(0).permutation(12))
    assert_same(curate.merge([a, b]), curate.merge([a, shuffled]))
    other = run(2)[0].take([3, 1])
    merged = curate.merge([other, run(1)[0]])
    assert merged["example_id"].to_pylist()[:3] == [3, 1, 0]


def test_forgetting_only_tables_merge_too():
    tables = [run(seed, track="forgetting")[0] for seed in (1, 2)]
    merged = curate.merge(tables)
    assert "forgetting_events" in merged.column_names
    assert "correct" not in merged.column_names
    full = curate.merge([run(seed)[0] for seed in (1, 2)])
    assert merged["forgetting_events"].to_pylist() == full["forgetting_events"].to_pylist()


def test_a_folder_of_seeds_read_at_once_merges_like_its_files(tmp_path):
    tables = [run(seed)[0] for seed in (0, 1)]
    for seed, table in enumerate(tables):
        curate.write(table, tmp_path / f"seed={seed}" / "examples.parquet")
    assert_same(curate.merge([curate.read(tmp_path)]), curate.merge(tables))


def test_what_does_not_belong_together_is_refused():
    a = run(1)[0]
    with pytest.raises(curate.CurateError, match="tables: an empty list"):
        curate.merge([])
    with pytest.raises(curate.CurateError, match="differ in the columns"):
        curate.merge([a, run(1, track="forgetting")[0]])
    with pytest.raises(curate.CurateError, match="ids of type string"):
        curate.merge([a, run(1, ids=[str(i) for i in range(12)])[0]])
    labels = pa.array([2, *a["label"].to_pylist()[1:]], pa.int64())
    other = a.set_column(a.column_names.index("label"), "label", labels)
    with pytest.raises(curate.CurateError, match="example 0 has label"):
        curate.merge([a, other])
    prints = [curate.table.annotate(a, fingerprint=name) for name in "ab"]
    with pytest.raises(curate.CurateError, match="different data sets"):
        curate.merge(prints)
    with pytest.raises(curate.CurateError, match="number 0 lacks"):
        curate.merge([a.drop_columns(["forgetting_events"])])
