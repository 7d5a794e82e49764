"""The modules of the calculus form layers, and so do its rooms."""

import ast
import graphlib
from pathlib import Path

import curate.calculus

PACKAGE = "curate.calculus"
ROOMS = ("graph", "rules", "language", "compile", "show")
LAYERS = [
    {"errors", "recent"},
    {"special", "matrix_functions"},
    {"elementwise"},
    {"graph"},
    {"rules", "spread"},
    {"show"},
    {"scoped"},
    {"compile", "operators"},
    {"expression"},
    {"language", "several"},
]
LAYER_OF = {room: layer for layer, rooms in enumerate(LAYERS) for room in rooms}
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


def test_rooms_import_from_the_layers_below():
    for path in FILES:
        room = name_of(path).split(".")[2:3]
        if not room:  # the face
            continue
        for other in {name.split(".")[2] for name in imports(path)} - set(room):
            assert LAYER_OF[other] < LAYER_OF[room[0]], f"{path} imports {PACKAGE}.{other}"


def test_of_the_rest_of_curate_only_the_ground_is_imported():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "curate":
                assert f"{node.module}.".startswith(
                    (f"{PACKAGE}.", "curate.errors.", "curate.moved.")
                ), path


def test_files_are_short():
    for path in FILES:
        assert len(path.read_text().splitlines()) < 300, path.name
