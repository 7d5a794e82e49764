"""CONTRIBUTING.md names files and registries that are there."""

import importlib
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
ROWS = [
    line
    for line in (PROJECT / "CONTRIBUTING.md").read_text().split("## How to add")[1].splitlines()
    if line.startswith("| a")
]


def files(row):
    return re.findall(r"`((?:curate|docs|tests)/[\w/.]+\.(?:py|md))`", row)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_every_file_is_there(row):
    for name in files(row):
        pattern = name.replace("NAME", "*")
        assert list(PROJECT.glob(pattern)), name


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_every_registry_is_where_it_says(row):
    column = row.split("|")[3]
    registries = re.findall(r"`([A-Z]+)`[^;]* in `([\w/]+)\.py`", column)
    assert registries
    for name, path in registries:
        assert len(getattr(importlib.import_module(path.replace("/", ".")), name)) > 1


def test_the_six_things_are_there():
    things = [row.split("|")[1].strip() for row in ROWS]
    assert things == [
        "a score",
        "a strategy",
        "a recorded statistic",
        "an export format",
        "a feature",
        "a column",
    ]
    assert all(len(files(row)) <= 5 for row in ROWS)
