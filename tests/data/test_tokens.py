import re
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import curate
from curate.data import VOCABULARY, load, parquet, tokenize
from curate.errors import CurateError

pytest.importorskip("datasets")

TEXTS = ["A cat.", "a  CAT !", "two dogs; three cats", "", "Ünïcode ist auch\nda 漢字"]


def test_words_and_marks_become_their_checksums():
    def token(word):
        return zlib.crc32(word.encode()) % (VOCABULARY - 1) + 1

    assert tokenize(TEXTS[:2], 4).tolist() == [
        [token("a"), token("cat"), token("."), 0],
        [token("a"), token("cat"), token("!"), 0],
    ]
    assert token("cat") == 0x9E5E43A8 % 16383 + 1  # the same on every machine


@given(st.lists(st.text(), min_size=1, max_size=5), st.integers(1, 8))
def test_any_text_becomes_tokens(texts, length):
    tokens = tokenize(texts, length)
    assert tokens.shape == (len(texts), length)
    assert tokens.dtype == torch.int64
    assert ((tokens >= 0) & (tokens < VOCABULARY)).all()
    for text, row in zip(texts, tokens, strict=True):
        words = re.findall(r"\w+|[^\w\s]", text.lower())
        assert (row != 0).tolist() == [place < len(words) for place in range(length)]


def write(path, texts, **columns):
    pq.write_table(pa.table({"text": texts, **columns}), path)
    return path


def test_a_text_column_is_loaded_by_name_and_both_splits_have_one_length(tmp_path):
    texts = [f"{'word ' * (i % 7)}end" for i in range(40)]
    path = write(tmp_path / "rows.parquet", texts, label=["no", "yes"] * 20, title=texts)
    train, test = load(path), load(path, "test")
    assert train.shape == test.shape == (7,)
    assert sorted([*train.texts, *test.texts]) == sorted(texts)
    assert train.class_names == ["no", "yes"]
    tokens, label, example_id = train[3]
    assert torch.equal(tokens, tokenize([texts[example_id]], 7)[0])
    assert label == example_id % 2
    values, labels = train.arrays()
    assert torch.equal(values, tokenize([texts[i] for i in train.ids], 7))
    assert torch.equal(labels, torch.from_numpy(train.ids % 2))
    with pytest.raises(CurateError, match="tokens of shape"):
        train.image(0)
    assert parquet(path, column="title").texts == texts


def test_texts_that_share_their_tokens_have_their_own_fingerprint(tmp_path):
    one = parquet(write(tmp_path / "a.parquet", ["A b", "c"], label=[0, 1]))
    other = parquet(write(tmp_path / "b.parquet", ["a b", "c"], label=[0, 1]))
    assert torch.equal(one.values, other.values)
    assert curate.data.fingerprint(one) != curate.data.fingerprint(other)


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(CurateError, match="'text' holds nulls"):
        parquet(write(tmp_path / "a.parquet", ["x", None], label=[0, 1]))
    rows = pa.table({"remark": ["x", "y"], "label": [0, 1]})
    pq.write_table(rows, tmp_path / "b.parquet")
    with pytest.raises(CurateError, match="cannot tell which of .*remark"):
        parquet(tmp_path / "b.parquet")


def test_the_pruned_set_holds_the_texts(tmp_path):
    dataset = parquet(write(tmp_path / "a.parquet", TEXTS, label=np.arange(5) % 2))
    table = pa.table(
        {"example_id": dataset.ids, "presentations": [1] * 5, "forgetting_events": [0, 3, 1, 2, 0],
         "first_learned": [1] * 5, "label": dataset.labels}
    )  # fmt: skip
    selection = curate.prune(table, 3)
    curate.export(dataset, selection, tmp_path / "pruned", "parquet")
    back = load(tmp_path / "pruned")
    whole = curate.data.parquet(tmp_path / "pruned")
    assert whole.ids.tolist() == [1, 2, 3]
    assert whole.texts == TEXTS[1:4]
    assert set(back.ids.tolist()) <= {1, 2, 3}
