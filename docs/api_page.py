"""A hook of mkdocs: the page of the Python API lists what each package's door hands out."""

import ast
from pathlib import Path

PACKAGES = (
    "table", "data", "stats", "scores", "pruning", "exporting", "features", "record", "bias",
    "retest", "saliency", "train", "experiment", "plot", "report", "nn", "calculus",
)  # fmt: skip
ROOT = Path(__file__).parent.parent


def public_names(package: str) -> list[str]:
    """Names that ``curate/PACKAGE/__init__.py`` imports under their own name, also when asked.

    Those that their module makes while it runs, such as the functions of ``curate.calculus``, have
    no docstring to be read without running it; their page lists them.
    """
    tree = ast.parse((ROOT / "curate" / package / "__init__.py").read_text())
    found = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name and alias.name in written(node.module)
    }
    return sorted(found, key=str.lower)


def written(module: str) -> set[str]:
    """Functions, classes and values that are written down in a module."""
    path = ROOT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def on_page_markdown(markdown: str, page, **_) -> str:
    """The page of the API, with what the packages hand out; any other as it is."""
    if page.file.src_uri != "api.md":
        return markdown
    parts = [markdown]
    for package in PACKAGES:
        parts.append(
            f"## curate.{package}\n\n::: curate.{package}\n    options:\n      members: []\n"
        )
        parts += [f"::: curate.{package}.{name}\n" for name in public_names(package)]
    return "\n".join(parts)
