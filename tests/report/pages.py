"""Pages to look at: a run and games of as many sources as wanted, made without training."""

from zlib import crc32

import numpy as np
import pyarrow as pa
from PIL import Image

import curate
from curate.bias import Identification
from curate.bias.audit.result import Audit, Equalised
from curate.bias.overlap.result import Overlap
from curate.report import write_identification, write_report

HOSTILE = [
    "<script>window.struck = 1</script>",
    '"><img src=x onerror="window.struck = 2">',
    "</script><script>window.struck = 3</script>",
    "' onmouseover='window.struck = 4' x='",
    "javascript:window.struck=5",
    "\u202egnp.exe\u0007\nnext line",
    "a_name_of_some_length_without_any_place_to_break_it_at_all_64",
    "مرحبا 你好 😀",
]


def picture(key, side=64):
    rng = np.random.default_rng(crc32(repr(key).encode("ascii", "backslashreplace")))
    small = Image.fromarray(rng.integers(0, 255, (5, 7, 3), dtype=np.uint8))
    return np.asarray(small.resize((side * 7 // 5, side), Image.Resampling.BICUBIC))


def run_page(path, n=400, ids=None, names=("cat", "dog", "fish"), title="flowers · cnn"):
    """The report on a run: a selection, a search, compared accuracies and pictures."""
    rng = np.random.default_rng(0)
    never = np.arange(n) % 20 == 7
    events = np.where(never, 0, rng.poisson(1.0, n))
    columns = {name: rng.random(n) for name in ("confidence_mean", "confidence_std")}
    table = pa.table(
        {
            "example_id": pa.array(range(n) if ids is None else ids),
            "label": pa.array(np.arange(n) % len(names)),
            "presentations": pa.array(np.full(n, 9), pa.int32()),
            "correct": pa.array(np.where(never, 0, 9 - events), pa.int32()),
            "forgetting_events": pa.array(events, pa.int32()),
            "first_learned": pa.array(np.ones(n), pa.int32(), mask=never),
            "margin_mean": pa.array(rng.normal(1, 1, n)),
            **columns,
        }
    )
    arms = [("full", 0.9928, n), ("pruned", 0.99, n // 3), ("random", 0.97, n // 3)]
    runs = [
        {"arm": arm, "seed": seed, "accuracy": mean + 0.001 * seed, "train_size": size}
        for arm, mean, size in arms
        for seed in (-1, 0, 1)
    ]
    bounds = [
        {"arm": arm, "mean": mean, "low": mean - 0.0038, "high": mean + 0.0038}
        for arm, mean, _ in arms
    ]
    write_report(
        path,
        table=table,
        title=title,
        selection=curate.prune(table, 0.3),
        accuracies=pa.Table.from_pylist(runs),
        intervals=pa.Table.from_pylist(bounds),
        verdicts=[f"As good as all of {title}.", "Better than random."],
        class_names=list(names),
        image=picture,
        facts={"data": f"/data/sets/natural-images/{title}/train", "model": "cnn", "seeds": "3"},
    )
    return table


def identify_page(path, names, ids=None, n=40):
    """The report on a game among sources of these names; ids: source and place -> id."""
    found = identification(names, ids or (lambda name, row: f"{name[:20]}/IMG_{row:05}.jpg"), n)
    write_identification(
        path,
        found,
        title=" · ".join(names),
        image=lambda name, example_id: picture((name, example_id)),
        label=lambda name, example_id: HOSTILE[crc32(name.encode()) % 3] if ids else "cat",
        facts={name: f"/data/sets/natural-images/{name}.parquet" for name in names},
        left_out="cross-dataset tables: no class is shared",
    )
    return found


def identification(names, ids, n):
    rng = np.random.default_rng(0)
    k = len(names)
    rates = 0.5 * np.eye(k) + 0.5 * rng.dirichlet(np.ones(k), k)
    scores = rng.normal(size=(k * n, k)) + 3 * np.repeat(np.eye(k), n, 0)
    chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    pairs = [(one, other) for i, one in enumerate(names) for other in names[i + 1 :]]
    confusion = [
        {"source": names[i], "named": names[j], "count": round(60 * rates[i, j])}
        | {"rate": rates[i, j], "low": rates[i, j] * 0.8, "high": min(1, rates[i, j] * 1.2)}
        for i in range(k)
        for j in range(k)
    ]
    probabilities = {
        "source": [name for name in names for _ in range(n)],
        "example_id": [ids(name, row) for name in names for row in range(n)],
        **{f"p_{name}": chances[:, place] for place, name in enumerate(names)},
        "source_margin": rng.normal(size=k * n),
    }
    return Identification(
        names=tuple(names),
        accuracy=float(np.diag(rates).mean()),
        chance=1 / k,
        interval=(0.5, 0.6),
        p_value=1 / 201,
        binomial_p_value=1e-9,
        train_size=100,
        test_size=60,
        confusion=pa.Table.from_pylist(confusion),
        curve=pa.table(
            {
                "size": [12, 25, 50, 100, 1000],
                "mean": [0.3, 0.4, 0.45, 0.5, 0.55],
                "low": [0.2, 0.3, 0.4, 0.45, 0.5],
                "high": [0.4, 0.5, 0.5, 0.55, 0.6],
                "repeats": [20] * 5,
            }
        ),
        per_source=pa.Table.from_pylist(
            [
                {"source": name, "examples": n, "recall": 0.5, "low": 0.4, "high": 0.6, "n": 60}
                for name in names
            ]
        ),
        probabilities=pa.table(probabilities),
        null_control=None,
        audit=_audit(names, pairs, rng),
        warnings=(),
        overlap=_overlap(pairs[:3], ids),
    )


def _audit(names, pairs, rng):
    causes = ["JPEG quality", "border", "tone", "colour balance", "grain or sharpness"]
    rows = [
        {"cause": cause, "accuracy": 0.6, "chance": 0.25, "low": 0.5, "high": 0.7}
        | {"p_value": 0.01, "explained": 0.4}
        for cause in causes
    ]
    told = [
        {"cause": cause, "first": one, "second": other, "accuracy": float(rng.uniform(0.5, 1))}
        | {"p_value": 0.001, "named": bool(rng.random() < 0.3)}
        for cause in causes
        for one, other in pairs
    ]
    shares = rng.dirichlet(np.ones(24), (9, len(names)))
    properties = [
        {"property": f"property {place}, 0 to 255", "source": name, "low": 10.0 * low}
        | {"high": 10.0 * (low + 1), "share": float(shares[place, row, low])}
        for place in range(9)
        for row, name in enumerate(names)
        for low in range(24)
    ]
    return Audit(
        table=pa.Table.from_pylist(rows),
        pairs=pa.Table.from_pylist(told),
        equalised=Equalised(0.6, (0.5, 0.7), 0.5, (0.4, 0.6), 0.25),
        warnings=(),
        examined=100,
        headers=True,
        properties=pa.Table.from_pylist(properties),
    )


def _overlap(pairs, ids):
    counts = [
        {"source": one, "other": other, "examples": 40, "equal": 20, "near": 3}
        for one, other in pairs
    ]
    copies = [
        {"source": one, "other": other, "example_id": ids(one, row), "other_id": ids(other, row)}
        | {"kind": "equal", "distance": 0.0}
        for one, other in pairs
        for row in range(20)
    ]
    return Overlap(pa.Table.from_pylist(counts), pa.Table.from_pylist(copies), (), "")
