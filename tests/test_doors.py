"""Whatever is given for a path, at any door: it works, or it ends in one sentence."""

import pyarrow as pa
import pytest

import curate
from curate.bias import as_sources
from curate.errors import CurateError
from curate.exporting import check_export
from curate.report import inspect

DATA = curate.data.with_ids([(1, 0), (2, 0)])
TABLE = pa.table(
    {
        "example_id": [0, 1],
        "label": [0, 0],
        "presentations": pa.array([1, 1], pa.int32()),
        "forgetting_events": pa.array([0, 1], pa.int32()),
        "first_learned": pa.array([1, 1], pa.int32()),
    }
)
SELECTION = curate.prune(TABLE, 1)

DOORS = {
    "load": curate.data.load,
    "folder": curate.data.folder,
    "parquet": curate.data.parquet,
    "read": curate.read,
    "open_stream": lambda path: list(curate.table.open_stream(path)),
    "prune": curate.prune,
    "prune_file": lambda path: curate.pruning.prune_file(path, "out"),
    "inspect": inspect,
    "Selection.load": curate.Selection.load,
    "as_sources": lambda path: as_sources({"a": path, "b": "digits"}),
    "export": lambda path: curate.export(DATA, SELECTION, path),
    "check_export": lambda path: check_export(DATA, path),
    "write": lambda path: curate.write(TABLE, path),
    "Selection.save": SELECTION.save,
}
NO_NAMES = [None, 5, 2.5, [], b"bytes", "", "a\0b", "hf:a\0b", "x" * 300, "x/" * 3000, "\ud800"]
NO_PLACES = ["nonsense://x", "hf://", "://x", "file://"]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("path", [*NO_NAMES, *NO_PLACES], ids=lambda path: repr(path)[:12])
def test_what_is_no_path_ends_in_one_sentence(tmp_path, monkeypatch, door, path):
    monkeypatch.chdir(tmp_path)
    if path == "://x" and door in ("export", "check_export", "write", "Selection.save"):
        return  # an odd name, but one that a file can have
    with pytest.raises(CurateError) as caught:
        DOORS[door](path)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 600
    assert list(tmp_path.iterdir()) == []
