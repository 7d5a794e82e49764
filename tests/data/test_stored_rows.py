"""Ids of a part of a Hugging Face set are positions in the whole, however the part was taken."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.utils.data import Subset

import curate
from curate.data import fingerprint, ids_of, with_ids
from curate.data.opening import open_view
from curate.errors import CurateError

datasets = pytest.importorskip("datasets")

ROWS = 2500  # more than two record batches of 1,000


def in_memory(tmp_path):
    return datasets.Dataset.from_dict({"text": [f"t{n}" for n in range(ROWS)], "n": range(ROWS)})


def written_in_memory(tmp_path):
    """``map`` of a set in memory: a stream of record batches in one buffer."""
    return in_memory(tmp_path).map(lambda row: {"more": row["n"]})


def on_disk(tmp_path):
    in_memory(tmp_path).save_to_disk(tmp_path / "saved")
    return datasets.load_from_disk(tmp_path / "saved")


def from_parquet(tmp_path):
    in_memory(tmp_path).to_parquet(tmp_path / "rows.parquet")
    return datasets.Dataset.from_parquet(str(tmp_path / "rows.parquet"), cache_dir=str(tmp_path))


VIEWS = {
    "itself": lambda rows: rows,
    "shuffle": lambda rows: rows.shuffle(seed=3),
    "filter": lambda rows: rows.filter(lambda row: row["n"] % 3 == 1),
    "sort": lambda rows: rows.sort("n", reverse=True),
    "select": lambda rows: rows.select([7, 1999, 3]),
    "range": lambda rows: rows.select(range(5, 50)),
    "range of batches": lambda rows: rows.select(range(1000, 2000)),
    "range over batches": lambda rows: rows.select(range(900, 2100)),
    "range of a range": lambda rows: rows.select(range(900, 2100)).select(range(150, 160)),
    "skip": lambda rows: rows.skip(2400),
    "take": lambda rows: rows.take(9),
    "shard": lambda rows: rows.shard(4, 2),
    "shard with steps": lambda rows: rows.shard(4, 2, contiguous=False),
    "train": lambda rows: rows.train_test_split(0.2, seed=1)["train"],
    "test in order": lambda rows: rows.train_test_split(0.2, shuffle=False)["test"],
    "shuffled range": lambda rows: rows.select(range(1200, 2300)).shuffle(seed=1),
    "folds": lambda rows: datasets.concatenate_datasets(
        [rows.select(range(2000, 2500)), rows.select(range(1000))]
    ),
    "shuffled folds": lambda rows: datasets.concatenate_datasets(
        [rows.select(range(2000, 2500)), rows.select(range(1000))]
    ).shuffle(seed=2),
    "renamed": lambda rows: rows.select(range(1500, 1600)).rename_column("n", "m"),
    "another column": lambda rows: rows.skip(2000).add_column("other", np.zeros(500)),
    "numbers only": lambda rows: rows.skip(2000).remove_columns("text"),
}


@pytest.mark.parametrize("build", [in_memory, written_in_memory, on_disk, from_parquet])
@pytest.mark.parametrize("view", VIEWS)
def test_ids_are_positions_in_the_whole(build, view, tmp_path):
    rows = VIEWS[view](build(tmp_path))
    number = "m" if view == "renamed" else "n"
    wanted = [int(value) for value in rows[number][:]]
    assert ids_of(with_ids(rows)).tolist() == wanted
    assert open_view(rows).ids.tolist() == wanted
    some = [len(rows) - 1, 0]
    assert with_ids(Subset(rows, some)).ids.tolist() == [wanted[row] for row in some]


def test_a_part_that_is_loaded_by_name(tmp_path):
    in_memory(tmp_path).to_parquet(tmp_path / "rows.parquet")
    part = datasets.load_dataset(
        "parquet",
        data_files=str(tmp_path / "rows.parquet"),
        split="train[50%:]",
        cache_dir=str(tmp_path),
    )
    assert ids_of(with_ids(part)).tolist() == list(range(1250, 2500)) == part["n"][:]


def test_two_runs_that_shuffle_with_their_own_seed_merge_the_same_examples():
    """Two texts are always wrong: after the merge these two have no correct presentation."""
    base = datasets.Dataset.from_dict(
        {"text": [f"t{number}" for number in range(6)], "hard": [n < 2 for n in range(6)]}
    )
    tables = []
    for seed in (1, 2):
        rows = with_ids(base.shuffle(seed=seed))
        recorder = curate.Recorder(6)
        hard = torch.tensor(rows["hard"][:])
        wrong, right = torch.tensor([[0.0, 3.0]]), torch.tensor([[3.0, 0.0]])
        recorder.update(
            rows["example_id"][:],
            torch.where(hard[:, None], wrong, right),
            torch.zeros(6, dtype=torch.long),
        )
        tables.append(recorder.table())
    merged = curate.merge(tables)
    ids = merged["example_id"].to_pylist()
    correct = dict(zip(ids, merged["correct"].to_pylist(), strict=True))
    assert correct == {0: 0, 1: 0, 2: 2, 3: 2, 4: 2, 5: 2}


def test_several_tables_count_on_and_a_part_of_them_is_refused(tmp_path):
    first, second = in_memory(tmp_path), on_disk(tmp_path)
    both = datasets.concatenate_datasets([first, second])
    assert ids_of(with_ids(both)).tolist() == list(range(2 * ROWS))
    assert ids_of(with_ids(both.select([4000, 1]))).tolist() == [4000, 1]
    part = both.skip(100)
    with pytest.raises(CurateError, match="a part of several tables"):
        with_ids(part)
    assert ids_of(with_ids(part, range(len(part)))).tolist() == list(range(2 * ROWS - 100))
    assert ids_of(with_ids(both).skip(100)).tolist() == list(range(100, 2 * ROWS))


def test_an_example_twice_is_refused_as_in_a_subset(tmp_path):
    with pytest.raises(CurateError, match="ids: 3 occurs at position 0 and again at position 2"):
        with_ids(in_memory(tmp_path).select([3, 1, 3]))


def test_a_set_put_together_with_itself_is_numbered_as_it_lies(tmp_path):
    rows = in_memory(tmp_path)
    twice = datasets.concatenate_datasets([rows, rows])
    assert ids_of(with_ids(twice)).tolist() == list(range(2 * ROWS))


def test_empty_sets_and_columns_without_bytes(tmp_path):
    assert len(ids_of(with_ids(in_memory(tmp_path).select([])))) == 0
    nothing = datasets.Dataset(pa.table({"nothing": pa.nulls(5), "n": range(5)}))
    assert ids_of(with_ids(nothing.shuffle(seed=0))).tolist() == nothing.shuffle(seed=0)["n"][:]
    assert fingerprint(nothing.select([1, 0])) == fingerprint(with_ids(nothing).select([1, 0]))
