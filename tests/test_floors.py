"""Imports go down the floors only (CONTRIBUTING.md), and heavy packages wait until used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "curate"
FLOORS = [
    {"nn", "calculus"},
    {"table", "data"},
    {"scores", "pruning", "exporting"},
    {"record", "bias", "retest", "saliency"},
    {"train"},
    {"report", "cli"},
]
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}
ALONE = FLOORS[0]


def imported_packages(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "curate":
                names = [f"curate.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "curate" and len(parts) > 1:
                yield parts[1]


@pytest.mark.parametrize("package", sorted(p.name for p in ROOT.iterdir() if p.is_dir()))
def test_imports_go_down(package):
    if package == "__pycache__":
        return
    assert package in FLOOR_OF, f"curate/{package} stands on no floor; say which in this test"
    for path in (ROOT / package).rglob("*.py"):
        for other in imported_packages(path):
            if other == "errors" and package not in ALONE:
                continue
            assert other in FLOOR_OF, f"{path} imports curate.{other}; import from its package"
            below = FLOOR_OF[other] < FLOOR_OF[package]
            beside = FLOOR_OF[other] == FLOOR_OF[package] and package not in ALONE
            assert other == package or below or beside, f"{path} imports curate.{other}, from above"


def test_import_curate_leaves_heavy_packages_alone():
    code = (
        "import sys, curate; heavy = {'datasets', 'sklearn', 'torchvision', 'typer', 'rich', "
        "'jinja2', 'PIL', 'transformers', 'lightning', 'webdataset', 'scipy', 'pandas', "
        "'pyarrow.parquet', 'pyarrow.dataset'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
