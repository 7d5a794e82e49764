"""Tables that went through another library are the same tables."""

import decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import curate
from curate.data import with_ids
from curate.errors import CurateError
from curate.report import inspect
from curate.table import as_table
from tests.example_tables import example_table

pandas = pytest.importorskip("pandas")


class Stream:
    """What Polars, DuckDB and others are: something with a stream of Arrow batches."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


def large(table):
    """As Polars has it: text and lists with 64-bit offsets, ids unsigned."""
    for position, field in enumerate(table.schema):
        kind = {pa.string(): pa.large_string(), pa.list_(pa.bool_()): pa.large_list(pa.bool_())}
        wanted = kind.get(field.type, field.type)
        table = table.set_column(position, field.name, table.column(position).cast(wanted))
    return table


def through_duckdb(table):
    duckdb = pytest.importorskip("duckdb")
    return duckdb.from_arrow(table)


def through_polars(table):
    return pytest.importorskip("polars").from_arrow(table)


def decimals(table):
    """As Spark may have counts."""
    for position, field in enumerate(table.schema):
        if pa.types.is_integer(field.type) and field.name != "example_id":
            cast = table.column(position).cast(pa.decimal128(20, 0))
            table = table.set_column(position, field.name, cast)
    return table


WAYS = {
    "pandas": lambda table: table.to_pandas(),
    "pandas and back": lambda table: pa.Table.from_pandas(table.to_pandas()),
    "pandas, filtered": lambda table: table.to_pandas().loc[lambda rows: rows.index >= 0],
    "pandas by id": lambda table: table.to_pandas().set_index("example_id"),
    "pandas with Arrow types": lambda table: table.to_pandas(types_mapper=pandas.ArrowDtype),
    "stream": Stream,
    "large": large,
    "stream of large": lambda table: Stream(large(table)),
    "dictionaries": lambda table: table.set_column(
        0, "example_id", table["example_id"].dictionary_encode()
    ),
    "batch": lambda table: table.combine_chunks().to_batches()[0],
    "decimals": decimals,
    "polars": through_polars,
    "duckdb": through_duckdb,
    "datasets": lambda table: pytest.importorskip("datasets").Dataset(table),
}


@pytest.fixture(params=[False, True], ids=["integers", "strings"])
def table(request):
    return example_table(40, seed=3, never_presented=0.1, strings=request.param)


@pytest.mark.parametrize("way", WAYS)
def test_it_is_pruned_merged_joined_scored_and_inspected_alike(table, way, tmp_path):
    other = WAYS[way](table)
    for by in ("forgetting", "aum"):
        np.testing.assert_array_equal(curate.score(other, by), curate.score(table, by))
    for stratify in (None, "label"):
        one, two = (
            curate.prune(rows, 0.5, unknown="drop", stratify=stratify) for rows in (other, table)
        )
        assert one.kept_ids.equals(two.kept_ids)
        assert one.policy == two.policy
        assert one.table.schema.field("example_id").type == table.schema.field("example_id").type
    assert curate.merge([other, table]).equals(curate.merge([table, table]))
    extra = pa.table({"example_id": table["example_id"], "extra": range(len(table))})
    assert curate.join(other, extra)["extra"].to_pylist() == list(range(len(table)))
    assert curate.join(extra, other)["presentations"].equals(table["presentations"])
    assert inspect(other).counts == inspect(table).counts
    curate.write(other, tmp_path / "t.parquet")
    again = curate.read(tmp_path / "t.parquet")
    assert again["example_id"].equals(table["example_id"])
    assert again["label"].equals(table["label"])


@pytest.mark.parametrize("way", ["pandas", "large", "decimals"])
def test_files_of_other_libraries_are_read_alike(table, way, tmp_path):
    other = WAYS[way](table)
    if way == "pandas":
        other.to_parquet(tmp_path / "t.parquet")
    else:
        pq.write_table(other, tmp_path / "t.parquet")
    for path in (tmp_path / "t.parquet", tmp_path):
        kept = curate.prune(path, 0.5, unknown="drop").kept_ids
        assert kept.equals(curate.prune(table, 0.5, unknown="drop").kept_ids)
        assert inspect(path).counts == inspect(table).counts
        assert curate.merge([curate.read(path), table]).equals(curate.merge([table, table]))
        assert [row.label for row in inspect(path).most_forgotten] == [
            row.label for row in inspect(table).most_forgotten
        ]


def test_a_selection_of_large_strings_is_exported(tmp_path):
    data = with_ids(torch.utils.data.TensorDataset(torch.zeros(4, 2), torch.zeros(4)), list("abcd"))
    rows = example_table(4, strings=True).set_column(0, "example_id", pa.array(list("abcd")))
    chosen = curate.prune(pa.Table.from_pandas(rows.to_pandas()), 2, unknown="keep")
    chosen.save(tmp_path / "s.parquet")
    for selection in (chosen, curate.Selection.load(tmp_path / "s.parquet")):
        assert selection.kept_ids.type == pa.string()
        curate.export(data, selection, tmp_path / "out", "indices", overwrite=True)


def test_columns_of_nobody_stay_as_they_are():
    table = pa.table(
        {
            "example_id": pa.array(["a", "b"], pa.large_string()),
            "note": pa.array(["x", "y"], pa.large_string()),
            "day": pa.array([1, 2], pa.date32()),
            "label": pa.array([0.5, 1.0]),  # no class indices: whoever needs them says so
        }
    ).replace_schema_metadata({"mine": "kept"})
    wanted = table.set_column(0, "example_id", pa.array(["a", "b"], pa.string()))
    assert as_table(table).equals(wanted)
    assert as_table(table).schema.metadata == {b"mine": b"kept"}
    with pytest.raises(CurateError, match="'label' is of type double; labels are class indices"):
        curate.prune(table, 1, by=[1.0, 2.0])
    same = pa.table({"example_id": [1, 2], "label": [0, 1]})
    assert as_table(same) is same


@pytest.mark.parametrize("wrong", [{"example_id": [1]}, None, 3, [1, 2], np.zeros(3)])
def test_what_is_no_table_is_named(wrong):
    for call in (
        lambda: curate.prune(wrong),
        lambda: curate.score(wrong, "aum"),
        lambda: curate.merge([wrong]),
        lambda: curate.join(wrong, wrong),
        lambda: inspect(wrong),
        lambda: curate.write(wrong, "nowhere.parquet"),
    ):
        with pytest.raises(CurateError, match=f"a {type(wrong).__name__}; give a pyarrow.Table"):
            call()


def test_ids_that_do_not_fit_are_named():
    table = pa.table({"example_id": pa.array([2**63 + 5, 7], pa.uint64())})
    with pytest.raises(CurateError, match="ids of type uint64 are not all int64"):
        as_table(table)


KINDS = [pa.int8(), pa.int16(), pa.int32(), pa.uint8(), pa.uint32(), pa.uint64(), pa.float64()]


@given(
    st.lists(st.none() | st.integers(0, 100), min_size=1, max_size=5),
    st.sampled_from([*KINDS, pa.decimal128(9, 0), pa.dictionary(pa.int8(), pa.int64())]),
)
def test_labels_of_every_type_that_holds_whole_numbers(labels, kind):
    values = [None if label is None else decimal.Decimal(label) for label in labels]
    array = pa.array(values if pa.types.is_decimal(kind) else labels, kind)
    found = as_table(pa.table({"example_id": range(len(labels)), "label": array}))["label"]
    assert (found.type, found.to_pylist()) == (pa.int64(), labels)


def test_numbers_that_are_not_a_number_are_not_known():
    labels = pa.array([0.0, float("nan"), 2.0])
    found = as_table(pa.table({"example_id": [0, 1, 2], "label": labels}))["label"]
    assert found.to_pylist() == [0, None, 2]
