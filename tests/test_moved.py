"""Every name that was public in 0.1 is still reached where it was; old homes warn."""

import ast
import importlib
import json
import warnings
from pathlib import Path

import pytest

import curate
from curate.moved import moved

NAMES = json.loads(Path(__file__).with_name("public_names.json").read_text())


@pytest.mark.parametrize("package", NAMES)
def test_public_names_stay_reachable(package):
    face = importlib.import_module(package)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for name in NAMES[package]:
            assert getattr(face, name) is not None, name


def test_an_old_home_warns_and_gives_the_same_object():
    with pytest.warns(DeprecationWarning, match=r"curate.train.compare is now curate.experiment"):
        old = curate.train.compare
    assert old is curate.experiment.compare


def test_an_unknown_name_is_an_attribute_error():
    for package in NAMES:
        with pytest.raises(AttributeError, match="no_such_name"):
            importlib.import_module(package).no_such_name  # noqa: B018


def test_an_old_name_has_a_home():
    forward = moved("curate.x", {"old": "curate.table.read"})
    with pytest.warns(DeprecationWarning, match=r"curate.x.old is now curate.table.read"):
        assert forward("old") is curate.read


def test_the_library_itself_uses_no_old_name():
    for path in Path(curate.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "") in NAMES:
                module = importlib.import_module(node.module)
                for alias in node.names:
                    with warnings.catch_warnings():
                        warnings.simplefilter("error", DeprecationWarning)
                        getattr(module, alias.name, None)
