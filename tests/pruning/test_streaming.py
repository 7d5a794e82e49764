"""Pruning a file in bounded memory gives what pruning it in memory gives."""

import multiprocessing
import pickle
import sys
from concurrent.futures import Future, ProcessPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import curate.table
from curate import CurateError
from curate.pruning import Selection, prune, prune_file
from curate.pruning.on_disk.boundary import _keys, _value
from curate.pruning.on_disk.rows import _split
from tests.example_tables import example_table

BOUNDARY = sys.modules["curate.pruning.on_disk.boundary"]


@pytest.fixture(params=["all fit", "few fit"])
def collected(request, monkeypatch):
    """How many rows may be held: with few, every refinement of the search is gone through."""
    if request.param == "few fit":
        monkeypatch.setattr(BOUNDARY, "_MOST_COLLECTED", 4)


def write(table, path, row_group):
    pq.write_table(table, path, row_group_size=row_group)


def outcome(function, *arguments, **policy):
    try:
        return function(*arguments, **policy), None
    except CurateError as error:
        return None, str(error)


def same(table, path, folder, **policy):
    """Prune both ways and compare, errors included; the selection in memory, if there is one."""
    out = folder / f"out-{len(list(folder.iterdir()))}"
    expected, message = outcome(prune, table, **policy)
    if expected is None:
        assert outcome(prune_file, path, out, **policy) == (None, message)
        assert not out.exists()
        return None
    policy = prune_file(path, out, **policy)
    loaded = Selection.load(out)
    assert loaded.table.equals(expected.table)
    assert loaded.table.schema.equals(expected.table.schema)
    assert loaded.policy == policy == expected.policy
    return expected


@given(
    most_collected=st.sampled_from([4, 1 << 22]),
    table=st.builds(
        example_table,
        rows=st.integers(1, 80),
        seed=st.integers(0, 100),
        strings=st.booleans(),
        runs=st.sampled_from([1, 2]),
        never_presented=st.sampled_from([0.0, 0.0, 0.1]),
        never_learned=st.sampled_from([0.0, 0.3, 1.0]),
    ),
    row_group=st.sampled_from([1, 7, 1000]),
    keep=st.sampled_from([0.1, 0.5, 0.7, 1.0, 1]),
    by=st.sampled_from(["forgetting", "aum", "first_learned", "random", "loss"]),
    strategy=st.sampled_from(["hardest", "easiest", "random", "window"]),
    never_learned=st.sampled_from(["keep", "drop"]),
    unknown=st.sampled_from(["error", "keep", "drop"]),
    seed=st.integers(0, 3),
)
def test_selection_is_that_in_memory(tmp_path_factory, most_collected, table, row_group, **policy):
    folder = tmp_path_factory.mktemp("streamed")
    write(table, folder / "examples.parquet", row_group)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BOUNDARY, "_MOST_COLLECTED", most_collected)
        same(table, folder / "examples.parquet", folder, **policy)


@pytest.mark.usefixtures("collected")
@pytest.mark.parametrize(
    "values",
    [
        np.repeat([0.0, -0.0, 1.0, -1.0], 50),
        np.full(200, 3.0),
        np.full(200, np.inf),
        np.concatenate([np.full(100, np.inf), np.full(100, -np.inf)]),
        1.0 + np.arange(200) * 2.0**-52,  # neighbours, the last bits of which differ
        np.array([5e-324, -5e-324, 0.0, 1e308, -1e308] * 40),
        np.arange(-100, 100) * 2.0**40,
        np.repeat([0.25, 0.5], 100),
        np.concatenate([[-np.inf], np.arange(197) / 7, [np.inf, np.inf]]),
    ],
    ids=[
        "zeros",
        "one",
        "infinite",
        "infinities",
        "neighbours",
        "extremes",
        "large",
        "halves",
        "mixed",
    ],
)
@pytest.mark.parametrize("strategy", ["hardest", "easiest", "window"])
def test_awkward_scores(tmp_path, collected, values, strategy):
    table = pa.table({"example_id": np.arange(len(values)), "grand": values})
    write(table, tmp_path / "examples.parquet", 32)
    for keep in (1, 0.5, 0.9):
        same(
            table, tmp_path / "examples.parquet", tmp_path, keep=keep, by="grand", strategy=strategy
        )


def test_widening_where_the_hashes_are_not_as_expected(tmp_path, monkeypatch):
    """A window so small that the hash sought is never in it: the search goes on."""
    monkeypatch.setattr(BOUNDARY, "_MOST_COLLECTED", 4)
    windows, real = [], BOUNDARY._window

    def narrow(rank, inside, spread):
        windows.append(spread)
        return (0, 1) if spread < 1000 else real(rank, inside, spread)

    monkeypatch.setattr(BOUNDARY, "_window", narrow)
    table = example_table(500, never_learned=0)
    write(table, tmp_path / "examples.parquet", 100)
    same(table, tmp_path / "examples.parquet", tmp_path, keep=0.5)
    assert windows == [6, 600, 1e30]


def test_only_a_few_hashes_are_collected(tmp_path, monkeypatch):
    monkeypatch.setattr(BOUNDARY, "_MOST_COLLECTED", 1000)
    most, real = [], BOUNDARY._pick

    def watched(priority, hashes, place):
        most.append(len(hashes))
        return real(priority, hashes, place)

    monkeypatch.setattr(BOUNDARY, "_pick", watched)
    table = pa.table({"example_id": np.arange(200_000), "grand": np.ones(200_000)})
    write(table, tmp_path / "examples.parquet", 50_000)
    same(table, tmp_path / "examples.parquet", tmp_path, keep=0.5, by="grand")
    assert 0 < most[0] < 12 * 200_000**0.5


def test_a_folder_of_files_keeps_their_order_and_metadata(tmp_path):
    table = curate.table.annotate(example_table(90), fingerprint="f00", class_names=["a", "b"])
    for i in range(3):
        curate.table.write(table.slice(30 * i, 30), tmp_path / "examples" / f"{i}.parquet")
    chosen = same(table, tmp_path / "examples", tmp_path, keep=0.5)
    again = curate.table.read(tmp_path / "out-1")
    assert again["example_id"].to_pylist() == table["example_id"].to_pylist()
    assert curate.table.metadata(again)["fingerprint"] == "f00"
    assert curate.table.metadata(chosen.table)["class_names"] == ["a", "b"]


def test_more_rows_than_a_row_group_and_a_batch(tmp_path):
    rng = np.random.default_rng(0)
    n = (1 << 20) + 300_000
    table = pa.table(
        {
            "example_id": np.arange(n),
            "label": rng.integers(0, 3, n),
            "forgetting_events": rng.geometric(0.4, n).astype(np.int32),
            "first_learned": pa.array(np.ones(n, np.int32), mask=rng.random(n) < 0.02),
        }
    )
    write(table, tmp_path / "examples.parquet", 1 << 19)
    same(table, tmp_path / "examples.parquet", tmp_path, keep=0.3)


def test_nothing_is_left_behind(tmp_path):
    table = example_table(50, never_presented=0.2)
    write(table, tmp_path / "examples.parquet", 10)
    with pytest.raises(CurateError, match="have no forgetting score"):
        prune_file(tmp_path / "examples.parquet", tmp_path / "out", 0.5)
    assert [place.name for place in tmp_path.iterdir()] == ["examples.parquet"]
    prune_file(tmp_path / "examples.parquet", tmp_path / "out", 0.5, unknown="drop")
    assert sorted(place.name for place in tmp_path.iterdir()) == ["examples.parquet", "out"]


def test_a_disk_that_fails_while_writing_leaves_nothing(tmp_path, monkeypatch):
    write(example_table(50), tmp_path / "examples.parquet", 10)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys.modules["curate.table.parts"].PartWriter, "write", full)
    with pytest.raises(OSError, match="No space left"):
        prune_file(tmp_path / "examples.parquet", tmp_path / "out", 0.5)
    assert [place.name for place in tmp_path.iterdir()] == ["examples.parquet"]


class Remote:
    """An executor of another machine: it pickles what it is sent, and has but one method."""

    def __init__(self, name):
        setattr(self, name, getattr(self, f"_{name}"))

    @staticmethod
    def _call(function, item):
        function, item = pickle.loads(pickle.dumps((function, item)))
        return pickle.loads(pickle.dumps(function(item)))

    def _submit(self, function, item):
        future = Future()
        try:
            future.set_result(self._call(function, item))
        except Exception as error:
            future.set_exception(error)
        return future

    def _map(self, function, items):
        return (self._call(function, item) for item in items)


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.mark.parametrize("strategy", ["hardest", "random", "window"])
def test_an_executor_of_one_s_own_writes_the_same(tmp_path, monkeypatch, processes, strategy):
    monkeypatch.setattr("curate.pruning.on_disk.rows._PART", 100)
    write(example_table(1000, never_presented=0.1), tmp_path / "examples.parquet", 30)
    choices = {"keep": 0.3, "strategy": strategy, "unknown": "keep", "seed": 3}
    policy = prune_file(tmp_path / "examples.parquet", tmp_path / "threads", **choices)
    names = sorted(place.name for place in (tmp_path / "threads").iterdir())
    assert len(names) > 10
    for name, executor in (
        ("processes", processes), ("submits", Remote("submit")), ("maps", Remote("map"))
    ):  # fmt: skip
        out = tmp_path / name
        assert (
            prune_file(tmp_path / "examples.parquet", out, **choices, executor=executor) == policy
        )
        for file in names:
            assert (out / file).read_bytes() == (tmp_path / "threads" / file).read_bytes()


def test_an_executor_that_fails_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "examples.parquet"
    write(example_table(50, never_presented=0.2), path, 10)
    monkeypatch.setattr("curate.pruning.on_disk.rows._PART", 10)
    for executor in (Remote("submit"), Remote("map")):
        with pytest.raises(CurateError, match="have no forgetting score"):
            prune_file(path, tmp_path / "out", 0.5, executor=executor)
    with pytest.raises(CurateError, match="executor: a int has neither submit nor map"):
        prune_file(path, tmp_path / "out", 0.5, executor=3)
    monkeypatch.setattr("curate.pruning.on_disk.prune_file.hash_rows", None)
    with pytest.raises(TypeError):
        prune_file(path, tmp_path / "out", 0.5, unknown="drop", executor=Remote("map"))
    assert [place.name for place in tmp_path.iterdir()] == ["examples.parquet"]


def test_what_cannot_stream_is_refused(tmp_path):
    path, out = tmp_path / "examples.parquet", tmp_path / "out"
    write(example_table(50), path, 10)
    for strategy in ("moderate", "ccs", "beta"):
        with pytest.raises(CurateError, match=f"'{strategy}' is not one of .* use curate.prune"):
            prune_file(path, out, 0.5, strategy=strategy)
    with pytest.raises(CurateError, match="stratify"):
        prune_file(path, out, 0.5, stratify="label")
    write(example_table(9).drop_columns(["presentations"]), path, 10)
    with pytest.raises(CurateError, match=r"no column 'presentations'"):
        prune_file(path, out, 0.5, never_learned="drop")
    with pytest.raises(CurateError, match="no file or folder"):
        prune_file(tmp_path / "nothing", out, 0.5)
    out.mkdir()
    with pytest.raises(CurateError, match="out' exists already; remove it"):
        prune_file(path, out, 0.5)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CurateError, match="not a whole Parquet file"):
        prune_file(path, tmp_path / "other", 0.5)


def test_two_rows_that_nothing_tells_apart(tmp_path, monkeypatch):
    table = pa.table({"example_id": [1, 2, 2, 3], "grand": [5.0, 1.0, 1.0, 0.0]})
    write(table, tmp_path / "examples.parquet", 2)
    with pytest.raises(CurateError, match="same id or hash"):
        prune_file(tmp_path / "examples.parquet", tmp_path / "out", 2, by="grand")


@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_keys_sort_as_floats_do(values):
    values = np.array(values)
    keys = _keys(values)
    assert (compare(values) == compare(keys)).all()
    assert [_value(int(key)) for key in keys] == [value + 0.0 for value in values.tolist()]


def compare(values):
    return (values[:, None] > values).astype(int) - (values[:, None] < values)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=100), st.integers(1, 40))
def test_parts_cover_all_row_groups_in_order(rows, most):
    parts = _split(rows, most)
    assert [index for part in parts for index in part] == list(range(len(rows)))
    assert len(parts) <= most
