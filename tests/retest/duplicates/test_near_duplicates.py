"""Copies that are planted in drawn pictures are found; bad input is refused in one sentence."""

import io

import datasets
import networkx
import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import curate
from curate.errors import CurateError
from curate.retest import audit_split, near_duplicates
from curate.retest.duplicates.clusters import connected, keepers


def pictures(count, seed):
    """Smooth random pictures, uint8 (count, 3, 32, 32), all different."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 6, 6, generator=generator)
    fine = torch.rand(count, 3, 16, 16, generator=generator)
    images = sum(
        weight * torch.nn.functional.interpolate(each, (32, 32), mode="bicubic")
        for weight, each in ((0.7, coarse), (0.3, fine))
    )
    return (images.clamp(0, 1) * 255).byte()


@pytest.fixture(scope="module")
def planted():
    """80 test pictures: the first three are copies of the training pictures 5, 6 and 7."""
    train, test = pictures(160, 0), pictures(80, 1)
    test[0] = train[5]
    test[1] = train[6].flip(2)
    test[2] = (train[7].float() * 0.9 + 9).byte()
    return train, test, near_duplicates(test, train)


def test_the_copies_are_found_and_nothing_else(planted):
    _, _, found = planted
    pairs = {(row["example_id"], row["neighbour_id"]) for row in found.pairs.to_pylist()}
    assert pairs == {(0, 5), (1, 6), (2, 7)}
    exact = found.pairs.to_pylist()[0]
    assert exact["exact"]
    assert exact["probability"] == 1
    assert exact["rank"] == 1
    assert 0.02 < found.share < 0.08
    assert found.recall.to_pylist()[-1]["within_ten"] > 0.9


def test_the_table_ranks_by_probability(planted):
    _, _, found = planted
    for group in np.split(np.arange(len(found.table)), np.arange(10, len(found.table), 10)):
        rows = found.table.take(group)
        assert len(set(rows["example_id"].to_pylist())) == 1
        assert rows["rank"].to_pylist() == list(range(1, 11))
        assert (np.diff(rows["probability"].to_numpy()) <= 0).all()


def test_columns_join_the_example_table(planted):
    _, _, found = planted
    training = found.columns("b")
    table = pa.table({"example_id": np.arange(160), "label": np.zeros(160, int)})
    joined = curate.join(table, training)
    assert joined["nearest_test"].to_pylist()[4:9] == [None, 0, 1, 2, None]
    assert joined["duplicate_probability"].to_pylist()[5] == 1
    assert found.columns("a")["nearest_test"].to_pylist()[:4] == [5, 6, 7, None]


def test_within_a_set_one_of_each_cluster_is_kept():
    train = pictures(120, 2)
    train[40], train[90] = train[3], train[3]
    found = near_duplicates(train)
    assert found.clusters.to_pylist() == [
        {"cluster": 0, "set": "a", "example_id": row} for row in (3, 40, 90)
    ]
    assert len(found.pairs) == 3
    assert "3 pairs within one set" in repr(found)
    for keep, kept in (("first", 3), ("last", 90), (np.eye(120)[40], 40)):
        column = found.columns(keep=keep)["duplicate_of"].to_pylist()
        removed = {3, 40, 90} - {kept}
        assert {row for row in range(120) if column[row] is not None} == removed
        assert {column[row] for row in removed} == {kept}
    with pytest.raises(CurateError, match=r"keep: 'best'; give 'first', 'last', 'random' or"):
        found.columns(keep="best")


def test_the_same_call_gives_the_same_table(planted):
    train, test, found = planted
    assert near_duplicates(test, train).table.equals(found.table)
    assert len(repr(found)) < 100
    assert "planted copies" in str(found)
    assert found != 3


def test_bad_input_is_one_sentence():
    images = pictures(12, 0)
    with pytest.raises(CurateError, match="b: the same set as a; leave it out"):
        near_duplicates(images, images)
    with pytest.raises(CurateError, match=r"a: torch.float32 of shape \(12, 3\); give uint8"):
        near_duplicates(torch.zeros(12, 3))
    with pytest.raises(CurateError, match="threshold: 0; give a probability above 0"):
        near_duplicates(images, threshold=0)
    with pytest.raises(CurateError, match="a: it has 1 image; give at least 2"):
        near_duplicates(images[:1])
    with pytest.raises(CurateError, match="features: 'nose'; give 'hog'"):
        near_duplicates(images, features="nose")
    with pytest.raises(CurateError, match="features: the function gave NaN"):
        near_duplicates(images, features=lambda batch: np.full((len(batch), 4), np.nan))


def test_an_image_that_does_not_decode_is_named():
    good = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(good, "PNG")
    torn = [{"image": good.getvalue(), "label": 0}] * 3 + [{"image": b"torn", "label": 0}]
    dataset = curate.data.with_ids(datasets.Dataset.from_list(torn))
    with pytest.raises(CurateError, match="b: dataset: the image of example 3 cannot be decoded"):
        near_duplicates(pictures(5, 0), dataset)


def test_a_set_of_one_image_has_no_copies_inside():
    images = pictures(30, 0)
    assert audit_split(images, images[:1].clone()).problems == (
        "1 of 1 test images (100.00%) have a copy in the training set.",
    )


def test_sets_of_a_few_images_are_searched_too():
    images = pictures(3, 0)
    assert len(near_duplicates(images[:1], images).pairs) == 1


@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=9))
def test_clusters_are_connected_components(count, edges):
    edges = [(one % count, other % count) for one, other in edges]
    graph = networkx.Graph(edges)
    graph.add_nodes_from(range(count))
    found = connected(np.array(edges, np.int64).reshape(-1, 2), count)
    for component in networkx.connected_components(graph):
        assert {int(found[row]) for row in component} == {min(component)}
    chosen = keepers(found, np.arange(count) % 5, 0)
    assert all(found[chosen[row]] == found[row] for row in range(count))
