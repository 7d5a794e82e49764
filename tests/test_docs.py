"""Every Python example in README.md and docs/ runs, in order, one namespace a page."""

import ast
import json
import os
import re
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    text = page.read_text()
    for name in re.findall(r"^<!-- needs (\w+) -->$", text, re.MULTILINE):
        pytest.importorskip(name, reason=f"the page is on {name}, which is not installed")
        if name == "fiftyone":
            needs_mongodb()
    namespace = {"__name__": "__main__"}
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start()) + 2
        code = compile("\n" * (line - 1) + block.group(1), str(page), "exec")
        exec(code, namespace)


def needs_mongodb():
    """FiftyOne installs where it finds no MongoDB for the system and may not fetch one."""
    from fiftyone.core.service import DatabaseService, ServiceExecutableNotFound

    try:
        if "FIFTYONE_DATABASE_URI" not in os.environ:
            DatabaseService.find_mongod()
    except ServiceExecutableNotFound:
        pytest.skip(
            "FiftyOne keeps its samples in MongoDB and found no mongod; install one, or name a "
            "server in FIFTYONE_DATABASE_URI"
        )


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.ipynb")), ids=lambda p: p.name)
def test_notebooks_run(path, tmp_path, monkeypatch):
    """The code cells, in order; what a cell ends in can be shown."""
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    notebook = json.loads(path.read_text())
    namespace = {"__name__": "__main__"}
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "code":
            continue
        assert not cell["outputs"], "outputs are not kept"
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, f"{path.name}[{number}]", "exec"), namespace)
        if last is not None:
            shown = eval(compile(ast.Expression(last.value), path.name, "eval"), namespace)
            getattr(shown, "_repr_html_", shown.__repr__)()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_row_beside_other_tools_leads_to_our_docs():
    text = (ROOT / "docs/peers.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 30
    for row in rows:
        _, what, here, elsewhere, _ = row.split("|")
        assert what.strip()
        assert elsewhere.strip()
        assert re.search(r"\]\(\w+\.md", here), f"no link: {row}"
    named = re.search(r"fifteen we read \((.*?)\)", text).group(1).split(", ")
    assert len(named) == 15
