"""The modules of the calculus form layers."""

import ast
import graphlib
from pathlib import Path

import curate.calculus

PACKAGE = "curate.calculus"
ROOMS = ("graph", "rules", "language", "compile", "show")
FILES = sorted(Path(curate.calculus.__file__).parent.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """The modules of the package that a file imports anywhere, functions included."""
    packages = {PACKAGE, *(f"{PACKAGE}.{room}" for room in ROOMS)}
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module in packages:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith(PACKAGE)}
    return found


def name_of(path: Path) -> str:
    parts = path.relative_to(Path(curate.calculus.__file__).parent).with_suffix("").parts
    return ".".join([PACKAGE, *(part for part in parts if part != "__init__")])


def test_no_circle_of_imports():
    graph = {name_of(path): imports(path) for path in FILES}
    assert len(graph) > 30
    assert sum(map(len, graph.values())) > 100
    order = list(graphlib.TopologicalSorter(graph).static_order())  # raises on a circle
    assert order.index(f"{PACKAGE}.graph.sums") < order.index(f"{PACKAGE}.rules.maps")
    assert set(order) == set(graph)  # and nothing that does not exist


def test_files_are_short():
    for path in FILES:
        assert len(path.read_text().splitlines()) < 300, path.name
