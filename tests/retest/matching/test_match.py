"""Matched test sets: sizes by the paper's rules, draws, manifests."""

import json
import math
import re
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import CurateError
from curate.retest import match, rematch, sample_sizes

counts = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 400), min_size=1).filter(
    lambda counts: sum(counts.values()) > 0
)


@given(counts, st.integers(1, 500))
def test_v4_is_the_papers_formula(counts, n):
    total = sum(counts.values()) + 7
    sizes = sample_sizes(counts, n, "v4", total=total)
    for name, count in counts.items():
        share = count * n / total
        if abs(share - round(2 * share) / 2) > 1e-9:  # floats cannot tell the edges
            assert sizes[name] == (0 if share < 0.5 else math.ceil(share))


def test_v4_of_cifar_is_a_thirtieth():
    for count, size in ((14, 0), (15, 1), (30, 1), (31, 2), (384, 13)):
        assert sample_sizes({"a": count}, 2000, "v4", total=60_000) == {"a": size}


@given(counts, st.integers(1, 300))
def test_v6_gives_every_class_its_part_by_the_largest_remainder(counts, n):
    classes = {name: "first half" if name < "e" else "second half" for name in counts}
    if any(not sum(counts[m] for m in counts if classes[m] == k) for k in set(classes.values())):
        return
    n *= len(set(classes.values()))
    sizes = sample_sizes(counts, n, "v6", classes=classes)
    for label in set(classes.values()):
        names = [name for name in counts if classes[name] == label]
        whole, quota = sum(counts[m] for m in names), n // len(set(classes.values()))
        assert sum(sizes[name] for name in names) == quota
        rests = {}
        for name in names:
            exact = counts[name] * quota
            assert sizes[name] - exact // whole in (0, 1)
            rests[name] = exact % whole, sizes[name] - exact // whole
        given_one = [rest for rest, more in rests.values() if more]
        given_none = [rest for rest, more in rests.values() if not more]
        assert min(given_one, default=whole) >= max(given_none, default=0)


def made(examples, seed=0):
    """A pool and an original set of two classes with three sub-classes each."""
    rng = np.random.default_rng(seed)
    names = np.array(["cat", "tabby", "kitten", "dog", "pug", "puppy"])

    def table(shares, size, start):
        chosen = rng.choice(6, size, p=shares)
        return pa.table(
            {
                "example_id": np.arange(start, start + size),
                "keyword": names[chosen],
                "label": chosen // 3,
            }
        )

    pool = table([0.1, 0.2, 0.2, 0.2, 0.2, 0.1], examples, 1000)
    return pool, table([0.25, 0.15, 0.1, 0.3, 0.15, 0.05], 600, 0)


def test_sub_classes_are_as_frequent_as_in_the_original():
    pool, original = made(5000)
    matched = match(pool, original, n=200)
    assert len(matched.table) == 200
    assert len(matched.shortfall) == 0
    drawn = Counter(matched.table["keyword"].to_pylist())
    whole = Counter(original["keyword"].to_pylist())
    for label in range(2):
        names = ("cat", "tabby", "kitten") if label == 0 else ("dog", "pug", "puppy")
        size = sum(whole[name] for name in names)
        assert sum(drawn[name] for name in names) == 100
        for name in names:
            assert abs(drawn[name] - 100 * whole[name] / size) < 1
    ids = matched.table["example_id"].to_pylist()
    assert len(set(ids)) == 200
    assert set(ids) <= set(pool["example_id"].to_pylist())


def test_the_order_of_rows_does_not_matter_and_the_seed_does():
    pool, original = made(5000)
    first = match(pool, original, n=200).table
    shuffled = pool.take(np.random.default_rng(1).permutation(5000))
    assert match(shuffled, original, n=200).table.equals(first)
    assert not match(pool, original, n=200, seed=1).table.equals(first)


def test_what_is_left_out_is_not_drawn_and_a_shortfall_is_said():
    pool, original = made(400)
    barred = [row["example_id"] for row in pool.to_pylist() if row["keyword"] == "puppy"][2:]
    matched = match(pool, original, n=200, leave_out=barred)
    assert not set(barred) & set(matched.table["example_id"].to_pylist())
    (row,) = [row for row in matched.shortfall.to_pylist() if row["subclass"] == "puppy"]
    assert row["available"] == row["drawn"] == 2 < row["wanted"]
    assert f"puppy: {row['wanted']} wanted, 2 available" in str(matched)
    assert len(repr(matched)) < 100


def test_counts_will_do_for_the_original():
    pool, original = made(5000)
    whole = dict(Counter(original["keyword"].to_pylist()))
    by_counts = match(pool, whole, n=200)
    assert sorted(by_counts.table["example_id"].to_pylist()) != []
    assert {r["subclass"]: r["wanted"] for r in by_counts.sizes.to_pylist()} == {
        r["subclass"]: r["wanted"] for r in match(pool, original, n=200).sizes.to_pylist()
    }


def test_a_manifest_makes_it_repeatable(tmp_path):
    pool, original = made(5000)
    matched = match(pool, original, n=200, seed=3)
    matched.save(tmp_path / "manifest.json")
    again = rematch(pool, tmp_path / "manifest.json")
    assert again.table.equals(matched.table)
    assert again.sizes.equals(matched.sizes)
    assert (
        again.manifest == matched.manifest == json.loads((tmp_path / "manifest.json").read_text())
    )
    repeated = match(pool, original, **again.options)
    assert repeated.table.equals(matched.table)
    gone = matched.table["example_id"][0].as_py()
    rest = pool.filter(pa.compute.not_equal(pool["example_id"], gone))
    with pytest.raises(CurateError, match="pool: it lacks 1 examples of the manifest"):
        rematch(rest, matched.manifest)


def test_embeddings_are_matched_by_clusters_of_the_original():
    """Two blobs a class, rare in the pool and frequent in the original: as frequent when drawn."""
    rng = np.random.default_rng(0)

    def table(share, size):
        label = rng.integers(0, 2, size)
        blob = (rng.random(size) < share).astype(int)
        centres = np.array([[[0, 0], [9, 0]], [[0, 9], [9, 9]]])[label, blob]
        vectors = centres + rng.normal(size=(size, 2)) * 0.3
        columns = {"example_id": np.arange(size), "label": label, "blob": blob}
        return pa.table({**columns, "embedding": list(vectors.astype(np.float32))})

    matched = match(table(0.2, 4000), table(0.7, 2000), by="embedding", n=400)
    assert matched.table["blob"].to_numpy().mean() == pytest.approx(0.7, abs=0.03)
    assert matched.table["label"].to_numpy().mean() == pytest.approx(0.5, abs=0.01)
    assert set(matched.table["subclass"].to_pylist()) <= set(matched.sizes["subclass"].to_pylist())


POOL, ORIGINAL = made(300)
BAD = [
    ((POOL, ORIGINAL), {"by": "word"}, "pool: it has no column 'word'"),
    ((POOL, ORIGINAL.drop_columns(["label"])), {}, "original: it has no column 'label'"),
    ((pa.concat_tables([POOL, POOL]), ORIGINAL), {}, "pool: an example_id is there twice"),
    ((POOL.slice(0, 0), ORIGINAL), {}, "pool: it has no rows"),
    ((POOL, ORIGINAL), {"rule": "v5"}, "rule: 'v5'"),
    ((POOL, ORIGINAL), {"n": 0}, "n: 0"),
    ((POOL, ORIGINAL), {"n": 201}, "n: 201 is not a multiple of the 2 classes"),
    ((POOL, ORIGINAL), {"rule": "v4", "total": 10}, "total: 10 is less than the 600 examples"),
    ((POOL, {"lynx": 3}), {}, "original: 'lynx' has no candidate"),
    ((POOL, {"cat": -3}), {"rule": "v4"}, "counts: 'cat' has -3"),
    ((POOL, {}), {}, "counts: there is no example"),
    ((POOL, {"cat": 3}), {"by": "embedding"}, "pool: it has no column 'embedding'"),
    ((POOL, ORIGINAL), {"seed": -1}, "seed: -1"),
]


@pytest.mark.parametrize(("given", "options", "said"), BAD, ids=[said for *_, said in BAD])
def test_bad_input(given, options, said):
    with pytest.raises(CurateError, match=re.escape(said)):
        match(*given, **{"n": 200, **options})


def test_v4s_sample_sizes_and_where_its_authors_departed(real_data):
    """From keyword counts and rule: 2,023 images; eight keywords differ, 2,021 were taken."""
    place = real_data / "cifar10.1-predictions"
    counts, taken, good = (
        json.loads((place / f"{name}.json").read_text())
        for name in (
            "keyword_counts_v4",
            "cifar10.1_v4_ti_indices_per_keyword",
            "tinyimage_good_indices_subselected_v4",
        )
    )
    sizes = sample_sizes(counts, 2000, "v4", total=60_000)
    assert sum(sizes.values()) == 2023
    assert sum(map(len, taken.values())) == 2021
    departures = {
        name: (size, len(taken.get(name, [])))
        for name, size in sizes.items()
        if size != len(taken.get(name, []))
    }
    assert departures == {
        "cruiser": (2, 3),
        "sport_car": (1, 0),
        "door": (1, 0),
        "ford": (1, 0),
        "opel": (1, 0),
        "sports_car": (1, 0),
        "gray": (0, 1),
        "cavalier": (1, 2),
    }
    ids = [(image, name) for name, images in good.items() for image in images]
    pool = pa.table({"example_id": [i for i, _ in ids], "keyword": [name for _, name in ids]})
    matched = match(pool, counts, n=2000, rule="v4", total=60_000)
    short = {row["subclass"]: row["available"] for row in matched.shortfall.to_pylist()}
    assert short == dict.fromkeys(["sport_car", "door", "ford", "opel", "sports_car"], 0)
    assert len(matched.table) == 2018  # five keywords have no candidate
