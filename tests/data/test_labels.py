"""Labels of every Arrow type that holds names or whole numbers, near each other or far apart."""

import decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import curate
from curate.data import as_example_set, load, open_view, parquet, with_ids
from curate.data.formats.labels import are_far_apart
from curate.errors import CurateError
from tests.exporting.selections import selection

datasets = pytest.importorskip("datasets")
NUMBERS = [0, 1, 2] * 4
NAMES = ["ant", "bee", "cow"] * 4


def write(path, labels, **columns):
    features = [[float(row), 1.0] for row in range(len(labels))]
    pq.write_table(pa.table({"features": features, "label": labels, **columns}), path)
    return path


def packed(kind):
    return pa.array(NUMBERS, kind)


HOLD_NUMBERS = {
    str(kind): packed(kind)
    for kind in (
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
        *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
        *(pa.float32(), pa.float64()),
        pa.dictionary(pa.int8(), pa.int64()),
    )
} | {
    "half": pa.array(np.array(NUMBERS, np.float16)),
    "decimal": pa.array([decimal.Decimal(n) for n in NUMBERS], pa.decimal128(10, 0)),
    "decimal with places": pa.array([decimal.Decimal(n) for n in NUMBERS], pa.decimal128(10, 2)),
    "wide decimal": pa.array([decimal.Decimal(n) for n in NUMBERS], pa.decimal256(50, 0)),
}
HOLD_NAMES = {
    "text": pa.array(NAMES),
    "large": pa.array(NAMES, pa.large_string()),
    "view": pa.array(NAMES, pa.string_view()),
    "dictionary": pa.array(NAMES).dictionary_encode(),
    "dictionary of large": pa.array(NAMES, pa.large_string()).dictionary_encode(),
    "bytes": pa.array([name.encode() for name in NAMES]),
    "large bytes": pa.array([name.encode() for name in NAMES], pa.large_binary()),
    "view of bytes": pa.array([name.encode() for name in NAMES], pa.binary_view()),
    "bytes of one length": pa.array([name.encode() for name in NAMES], pa.binary(3)),
}


@pytest.mark.parametrize("kind", HOLD_NUMBERS)
def test_whole_numbers(tmp_path, kind):
    data = parquet(write(tmp_path / "t.parquet", HOLD_NUMBERS[kind]))
    assert (data.labels.tolist(), data.class_names) == (NUMBERS, None)
    view = open_view(datasets.Dataset(pa.table({"label": HOLD_NUMBERS[kind]})))
    assert view.labels.tolist() == NUMBERS


@pytest.mark.parametrize("kind", HOLD_NAMES)
def test_names(tmp_path, kind):
    path = write(tmp_path / "t.parquet", HOLD_NAMES[kind])
    data = parquet(path, column="features")
    assert (data.labels.tolist(), data.class_names) == (NUMBERS, ["ant", "bee", "cow"])
    both = [parquet(path, column="features", split=split) for split in ("train", "test")]
    assert both[0].class_names == both[1].class_names == ["ant", "bee", "cow"]


def test_true_and_false(tmp_path):
    data = parquet(write(tmp_path / "t.parquet", pa.array([True, False] * 3)))
    assert data.labels.tolist() == [1, 0] * 3


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (pa.array([0.0, 1.5]), "'label' is of type double and holds a fraction"),
        (pa.array([decimal.Decimal("0.5"), decimal.Decimal(1)]), "holds a fraction"),
        (pa.array([0.0, float("nan")]), "'label' is null in row 1"),
        (pa.array([0.0, float("inf")]), "holds a fraction"),
        (pa.array([b"\xff", b"a"]), "holds bytes that are no text"),
        (pa.array([1, 2], pa.date32()), "is of type date32"),
        (pa.nulls(2), "'label' is null in row 0"),
        (pa.array([0, -1]), "'label' is -1 in row 1"),
        (pa.array([2**40, -1]), "'label' is -1 in row 1"),
    ],
)
def test_what_is_neither_is_named(tmp_path, labels, words):
    with pytest.raises(CurateError, match="label_column: ") as caught:
        parquet(write(tmp_path / "t.parquet", labels), column="features")
    assert words in str(caught.value)


FAR = {
    "catalogue": [2**40, 2**40 + 1, 2**40 + 2],
    "hashes": [-(2**63), 5, 2**63 - 1],
    "unsigned hashes": [7, 2**63 + 5, 2**64 - 1],
    "one far": [0, 1, 100_000],
}


@pytest.mark.parametrize("kind", FAR)
def test_numbers_far_apart_are_numbered_by_rank(tmp_path, kind):
    labels = pa.array(FAR[kind] * 4, pa.uint64() if kind == "unsigned hashes" else pa.int64())
    path = write(tmp_path / "t.parquet", labels)
    data = parquet(path)
    assert data.labels.tolist() == NUMBERS
    assert data.class_names == [str(label) for label in FAR[kind]]
    for split in ("train", "test"):
        part = load(path, split)
        originals = labels.take(pa.array(part.ids)).to_pylist()
        assert [part.class_names[label] for label in part.labels] == list(map(str, originals))
    place = curate.export(data, selection(data.ids, [0, 1, 5], data.labels), tmp_path / "o")
    kept = datasets.load_dataset(str(place), split="train")
    assert kept["label"][:] == labels.take(pa.array([0, 1, 5])).to_pylist()
    place = curate.export(data, selection(data.ids, [0, 1], data.labels), tmp_path / "p", "parquet")
    names = pq.read_table(place / "examples.parquet")["class_name"].to_pylist()
    assert names == [str(label) for label in FAR[kind][:2]]


def test_a_class_that_only_the_test_split_has_is_named(tmp_path):
    write(tmp_path / "train.parquet", pa.array([2**40, 2**41] * 3))
    write(tmp_path / "test.parquet", pa.array([2**40, 2**42] * 3))
    with pytest.raises(CurateError, match=f"the class {2**42} of 'label' occurs in the test split"):
        load(tmp_path, "test")


def test_tensors_with_catalogue_numbers_are_trained_on():
    def numbered(*labels):
        return torch.utils.data.TensorDataset(torch.zeros(len(labels), 2), torch.tensor(labels))

    train = as_example_set(numbered(2**40, 7, 2**41))
    assert (train.labels.tolist(), train.class_names) == ([1, 0, 2], ["7", str(2**40), str(2**41)])
    test = as_example_set(numbered(2**41, 7), like=train)
    assert (test.labels.tolist(), test.class_names) == ([2, 0], train.class_names)
    with pytest.raises(CurateError, match="the class 8 is not in the training set"):
        as_example_set(numbered(8), like=train)
    plain = as_example_set(numbered(0, 1, 5))
    assert (plain.labels.tolist(), plain.class_names) == ([0, 1, 5], None)
    assert as_example_set(with_ids(numbered(0, 1)), like=plain).labels.tolist() == [0, 1]


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30, unique=True))
def test_a_net_never_has_many_more_outputs_than_there_are_classes(labels):
    distinct = np.array(sorted(labels))
    outputs = len(distinct) if are_far_apart(distinct) else distinct[-1] + 1
    assert outputs <= 1000 + 2 * len(distinct)
    assert not are_far_apart(np.arange(len(distinct)))


TEXTS = [f"word {n}" for n in range(6)]


@pytest.mark.parametrize(
    "texts",
    [
        pa.array(TEXTS),
        pa.array(TEXTS, pa.large_string()),
        pa.array(TEXTS, pa.string_view()),
        pa.array(TEXTS).dictionary_encode(),
    ],
    ids=lambda array: str(array.type).split("<")[0],
)
def test_texts_and_their_fingerprint_whatever_type_holds_them(tmp_path, texts):
    for name, column in (("plain", pa.array(TEXTS)), ("other", texts)):
        table = pa.table({"text": column, "label": [0, 1] * 3, "note": column})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    plain, other = (parquet(tmp_path / f"{name}.parquet") for name in ("plain", "other"))
    assert other.texts == TEXTS
    assert curate.data.fingerprint(other) == curate.data.fingerprint(plain)
    rows = [
        datasets.Dataset.from_parquet(str(tmp_path / f"{name}.parquet"), cache_dir=str(tmp_path))
        for name in ("plain", "other")
    ]
    assert curate.data.fingerprint(rows[0]) == curate.data.fingerprint(rows[1])


@pytest.mark.parametrize(
    "ids",
    [
        pa.array([decimal.Decimal(n) for n in range(6)], pa.decimal128(20, 0)),
        pa.array(range(6), pa.uint8()),
        pa.array(TEXTS, pa.string_view()),
        pa.array(TEXTS, pa.large_string()),
        pa.array(TEXTS).dictionary_encode(),
    ],
    ids=lambda array: str(array.type).split("<")[0],
)
def test_ids_of_every_type_that_holds_names_or_whole_numbers(tmp_path, ids):
    path = write(tmp_path / "t.parquet", pa.array([0, 1] * 3), key=ids)
    data = parquet(path, id_column="key", column="features")
    assert list(data.ids) == (list(range(6)) if data.ids[0] == 0 else TEXTS)
    halves = pa.array([decimal.Decimal("0.5"), decimal.Decimal(1)])
    with pytest.raises(CurateError, match="not all are whole numbers"):
        with_ids([1, 2], halves)
