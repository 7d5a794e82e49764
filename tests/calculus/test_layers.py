"""The modules of the calculus form layers."""

import ast
import graphlib
from pathlib import Path

import curate.calculus

PACKAGE = "curate.calculus"


def imports(path: Path) -> set[str]:
    """The modules of the package that a file imports anywhere, functions included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
            found |= {f"{PACKAGE}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith(PACKAGE)}
    return found


def test_no_circle_of_imports():
    files = sorted(Path(curate.calculus.__file__).parent.glob("*.py"))
    graph = {
        PACKAGE if path.stem == "__init__" else f"{PACKAGE}.{path.stem}": imports(path)
        for path in files
    }
    assert len(graph) > 30
    assert sum(map(len, graph.values())) > 100
    order = list(graphlib.TopologicalSorter(graph).static_order())  # raises on a circle
    assert order.index(f"{PACKAGE}.sums") < order.index(f"{PACKAGE}.maps")
    assert set(order) == set(graph)  # and nothing that does not exist


def test_stands_alone():
    for path in Path(curate.calculus.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("curate"):
                assert node.module.startswith(PACKAGE), (path.name, node.module)


def test_files_are_short():
    for path in Path(curate.calculus.__file__).parent.glob("*.py"):
        assert len(path.read_text().splitlines()) < 300, path.name
