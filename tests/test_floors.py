"""The plan of the house (CONTRIBUTING.md): floors, rooms, no hidden modules, a cheap import."""

import ast
import graphlib
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import curate

ROOT = Path(__file__).parent.parent / "curate"
GROUND = {"errors", "files", "moved", "notebook", "threads"}
FLOORS = [
    {"nn", "calculus"},
    {"table", "data", "stats", "plot"},
    {"scores", "pruning", "exporting", "features"},
    {"record", "bias", "retest", "saliency"},
    {"train"},
    {"experiment"},
    {"report"},
    {"cli"},
]
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}
ROOM = 16  # files of a folder
PACKAGES = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))
FOLDERS = [str(path.parent.relative_to(ROOT.parent)) for path in ROOT.rglob("__init__.py")]


def imported_packages(path):
    """The packages and ground modules of curate that a file imports anywhere, functions too."""
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


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_down(package):
    assert package in FLOOR_OF, f"curate/{package} stands on no floor; say which in this test"
    for path in (ROOT / package).rglob("*.py"):
        for other in set(imported_packages(path)) - GROUND - {package}:
            assert other in FLOOR_OF, f"{path} imports curate.{other}; import from its package"
            assert FLOOR_OF[other] <= FLOOR_OF[package], (
                f"{path} imports curate.{other}, from above"
            )


def test_the_ground_stands_on_nothing():
    for name in GROUND:
        assert set(imported_packages(ROOT / f"{name}.py")) <= GROUND, name
    doors = {"__init__", "__main__"}
    assert {path.stem for path in ROOT.glob("*.py")} == {*GROUND, *doors}


def test_packages_of_one_floor_form_no_circle():
    graph = {
        package: {
            other
            for path in (ROOT / package).rglob("*.py")
            for other in imported_packages(path)
            if other not in GROUND and other != package
        }
        for package in PACKAGES
    }
    order = list(graphlib.TopologicalSorter(graph).static_order())  # raises on a circle
    assert set(order) == set(PACKAGES)
    assert not graph["nn"] | graph["calculus"]  # they stand alone


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_room_is_a_family(folder):
    files = [path for path in (ROOT.parent / folder).glob("*.py") if path.stem != "__init__"]
    assert len(files) <= ROOM, f"{folder} has {len(files)} files; give its families rooms"


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_is_hidden_by_a_name_of_its_package(package):
    face = importlib.import_module(f"curate.{package}")
    for info in pkgutil.walk_packages(face.__path__, f"{face.__name__}."):
        parent, _, name = info.name.rpartition(".")
        if name in ("lightning", "transformers", "triton_kernels"):  # need an extra
            continue
        module = importlib.import_module(info.name)
        assert getattr(importlib.import_module(parent), name) is module, info.name


def test_every_package_is_reached_from_the_face():
    code = "import curate, sys; " + "; ".join(f"curate.{package}.__name__" for package in PACKAGES)
    subprocess.run([sys.executable, "-c", code], check=True)
    assert set(PACKAGES) - {"cli"} <= set(dir(curate))


def test_import_curate_leaves_heavy_packages_alone():
    code = (
        "import sys, curate; heavy = {'datasets', 'sklearn', 'torchvision', 'typer', 'rich', "
        "'jinja2', 'PIL', 'transformers', 'lightning', 'webdataset', 'scipy', 'pandas', 'faiss', "
        "'lark', 'matplotlib', 'pyarrow.parquet', 'pyarrow.dataset'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_distribution_is_named_so_that_no_stranger_is_installed():
    """``curate`` on PyPI is somebody else's: no message may tell people to install that."""
    project = ROOT.parent
    text = (project / "pyproject.toml").read_text()
    assert 'name = "curate-data"' in text
    files = [*project.glob("*.md"), *project.glob("docs/*.md"), *ROOT.rglob("*.py")]
    for path in [*files, project / "pyproject.toml"]:
        for line in path.read_text().splitlines():
            assert "curate[" not in line, f"{path}: {line}"
            assert 'version("curate")' not in line, f"{path}: {line}"
