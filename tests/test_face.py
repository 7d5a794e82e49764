"""``import curate`` is the table of contents, for people and for type checkers."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import curate


def test_type_checkers_see_the_packages_that_are_imported_late():
    tree = ast.parse(Path(curate.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = [node.names[0].name for node in block.body if isinstance(node, ast.ImportFrom)]
    assert tuple(seen) == (*curate._LAZY, *curate._LAZY_FUNCTIONS)


def test_a_package_is_imported_when_it_is_asked_for():
    code = (
        "import sys, curate; assert not {f'curate.{name}' for name in curate._LAZY} & set("
        "sys.modules); from curate import bias; assert bias is curate.bias"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_there_is_can_be_listed_and_the_rest_is_an_error():
    names = dir(curate)
    assert curate.smallest_set is curate.experiment.smallest_set
    assert {"prune", "Recorder", "bias", "smallest_set", "__version__"} <= set(names)
    assert "importlib" not in names
    assert all(hasattr(curate, name) for name in names)
    assert curate.__version__ == curate.table.library_version()
    with pytest.raises(AttributeError, match="beauty"):
        _ = curate.beauty


def test_the_names_that_editors_complete_are_those_there_are():
    from typing import get_args

    from curate.exporting import FORMATS
    from curate.exporting._export import FormatName
    from curate.pruning import STRATEGIES
    from curate.pruning.registry import StrategyName
    from curate.scores.registry import ScoreName

    for names, registry in (
        (ScoreName, curate.SCORES), (StrategyName, STRATEGIES), (FormatName, FORMATS)
    ):  # fmt: skip
        assert get_args(names) == tuple(registry)
