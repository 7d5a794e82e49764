"""What a refactoring may not change: selections, checksums, names and keys that people store.

The values in ``golden.json`` were made before the packages were rearranged. To make them anew
after a deliberate change: ``python -m tests.test_golden``.
"""

import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import curate
from curate.cli.app import main
from curate.pruning import STRATEGIES, prune_file
from curate.scores import SCORES
from curate.table import hash_ids
from tests.example_tables import example_table

EXPECTED = Path(__file__).with_name("golden.json")
EPOCHS = 6


def recorded_digits(track="all", history=True):
    """The digits with logits that are multiples of 1/64: sums of them are exact on any machine."""
    dataset = curate.data.load("digits")
    rng = np.random.default_rng(0)
    recorder = curate.Recorder(dataset.ids, track=track, history=history)
    for epoch in range(EPOCHS):
        order = rng.permutation(len(dataset))
        logits = rng.integers(-256, 256, (len(dataset), 10)) / 64
        logits[np.arange(len(dataset)), dataset.labels] += rng.integers(0, 4 + epoch, len(dataset))
        for rows in np.array_split(order, 7):
            ids, labels = torch.as_tensor(dataset.ids[rows]), torch.as_tensor(dataset.labels[rows])
            recorder.update(ids, torch.as_tensor(logits[rows], dtype=torch.float32), labels)
        recorder.end_epoch()
    return dataset, recorder


def digest(values):
    return hashlib.sha256(json.dumps(values, default=str).encode()).hexdigest()[:16]


def without_version(value):
    """The same with versions and dates, which are no part of what is held, left out."""
    if isinstance(value, dict):
        return {key: without_version(value[key]) for key in sorted(value)}
    return type(value).__name__


def table_facts():
    dataset, recorder = recorded_digits()
    table = recorder.table()
    counts = [name for name in table.column_names if pa.types.is_integer(table[name].type)]
    margins = ["margin_mean", "margin_last", "history"]
    about = curate.table.metadata(table)
    about.pop("library_version")
    state = recorder.state_dict()
    return {
        "fingerprint": curate.data.fingerprint(dataset),
        "ids": digest(np.asarray(dataset.ids).tolist()),
        "labels": digest(dataset.labels.tolist()),
        "columns": {field.name: str(field.type) for field in table.schema},
        "all columns": list(curate.table.COLUMNS),
        "metadata": about,
        "values": {name: digest(table[name].to_pylist()) for name in counts + margins},
        "forgetting at 3": digest(curate.forgetting_at(table, 3).to_pydict()),
        "merged": digest(curate.merge([table, table])["forgetting_events"].to_pylist()),
        "state": {
            name: str(value.dtype) if isinstance(value, torch.Tensor) else type(value).__name__
            for name, value in state.items()
        },
        "packed words": digest(state["words"].tolist()),
        "hashes": {
            purpose: digest(hash_ids(pa.array(ids), seed=3, purpose=purpose).tolist())
            for purpose, ids in {"ties": list(range(50)), "random": ["a", "bé", "c" * 20]}.items()
        },
        "held out": digest(curate.data.held_out(dataset.labels, dataset.ids, 200).tolist()),
    }


def selection_facts():
    """Kept ids and checksums of every score and strategy, on digits and on drawn tables."""
    _, recorder = recorded_digits()
    tables = {
        "digits": recorder.table(),
        "strings": example_table(200, seed=1, strings=True),
        "merged": example_table(300, seed=2, runs=3, never_presented=0.02),
    }
    found = {}
    for name, table in tables.items():
        for by in SCORES:
            for strategy in STRATEGIES:
                if not set(SCORES[by].columns) <= set(table.column_names):
                    continue
                for stratify in (None, "label"):
                    if stratify and pa.compute.any(pa.compute.is_null(table["label"])).as_py():
                        continue
                    chosen = curate.prune(
                        table, 0.3, by, strategy, stratify=stratify, unknown="drop", seed=5
                    )
                    key = f"{name}, {by}, {strategy}, {stratify}"
                    found[key] = digest(chosen.kept_ids.to_pylist())
                    if by == "forgetting":
                        found[f"{key}, policy"] = chosen.policy
    return found


def export_facts(folder):
    folder.mkdir()
    dataset, recorder = recorded_digits()
    table = curate.table.annotate(
        recorder.table(),
        fingerprint=curate.data.fingerprint(dataset),
        class_names=dataset.class_names,
    )
    selection = curate.prune(table, 0.1, "forgetting", stratify="label")
    selection.save(folder / "selection.parquet")
    curate.write(table, folder / "examples.parquet")
    found = {
        "selection columns": {
            field.name: str(field.type)
            for field in pq.read_schema(folder / "selection.parquet")
            if field.name != "example_id"
        },
        "streamed": prune_file(
            folder / "examples.parquet", folder / "streamed", 0.1, "aum", "window"
        ),
    }
    for format in ("huggingface", "parquet", "imagefolder", "webdataset", "indices"):
        place = curate.export(dataset, selection, folder / format, format)
        told = json.loads((place / "provenance.json").read_text())
        found[format] = {
            "provenance": without_version(told),
            "policy": told["policy"],
            "fingerprint": told["source"]["fingerprint"],
            "files": sorted(str(p.relative_to(place)) for p in place.rglob("*"))[:40],
            "card starts": (place / "README.md").read_text().split("\n- ")[0].splitlines()[:4],
            # it holds the version of the library, and is else a hash of the content alone
            "config name": f"kept-{told['content'].removeprefix('sha256:')[:16]}"
            if told["versions"]["curate"] == "0.1.0"
            else None,
        }
    return found


def run_facts(folder):
    """The files and keys that ``curate run`` leaves; its figures are those of the machine."""
    with pytest.raises(SystemExit) as caught:
        main(["run", "--epochs", "1", "--seeds", "2", "--keep", "0.7", "--out", str(folder)])
    assert not caught.value.code
    summary = json.loads((folder / "summary.json").read_text())
    told = json.loads((folder / "pruned/provenance.json").read_text())
    return {
        "files": sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()),
        "summary": without_version(summary),
        "provenance": without_version(told),
        "columns": curate.read(folder / "examples.parquet").column_names,
        "seeds": curate.read(folder / "seeds").column_names,
    }


def everything(folder):
    return {
        "table": table_facts(),
        "selections": selection_facts(),
        "exports": export_facts(folder / "exports"),
        "run": run_facts(folder / "run"),
    }


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return json.loads(json.dumps(everything(tmp_path_factory.mktemp("golden"))))


COLUMNS = ("columns", "all columns", "seeds", "files", "summary")
"""Keys under which a new version may have more columns, files or facts, but none less and in no
other order."""


@pytest.mark.parametrize("part", ["table", "selections", "exports", "run"])
def test_what_people_store_is_what_it_was(found, part):
    expected = json.loads(EXPECTED.read_text())[part]
    assert found[part].keys() == expected.keys()
    for key, value in expected.items():
        now = found[part][key]
        if part == "exports" and "files" in value:
            now = {**now, "files": without_new(now["files"], value["files"])}
        assert (without_new(now, value) if key in COLUMNS else now) == value, key


def without_new(now, before):
    """What there is now, less the names that were not there before."""
    if isinstance(now, dict):
        return {name: without_new(now[name], before[name]) for name in now if name in before}
    return [name for name in now if name in before] if isinstance(now, list) else now


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        EXPECTED.write_text(json.dumps(everything(Path(name)), indent=1, sort_keys=True) + "\n")
