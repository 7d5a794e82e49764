"""The data set's card: README.md in the convention of the Hugging Face hub."""

import json
from typing import TYPE_CHECKING, Any

from curate.data.view import View
from curate.exporting.layout import Layout

if TYPE_CHECKING:
    from curate.pruning.selection import Selection

_MOST_CLASSES = 50
_SIZES = (
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"),
    (10**9, "100M<n<1B"),
)


def card(selection: "Selection", view: View, layout: Layout, origin: dict[str, Any]) -> str:
    """The text of README.md; what comes from the data is escaped, the licence is left to people.

    Args:
        selection: the exported selection.
        view: its data set.
        layout: how to read the export.
        origin: what :func:`provenance` says.
    """
    from huggingface_hub import DatasetCardData

    counts, policy = origin["counts"], origin["policy"]
    front: dict[str, Any] = {"tags": ["curate", "data-pruning"]}
    front["size_categories"] = [_size_category(counts["kept"])]
    files = [{"split": "train", "path": layout.data_files}]
    # datasets caches a local folder by its name and this entry alone: two exports called
    # "pruned" would be taken for one another were the name of the configuration not their own
    name = f"kept-{origin['content'].removeprefix('sha256:')[:16]}"
    front["configs"] = [{"config_name": name, "data_files": files}]
    chosen = ", ".join(
        f"{name} {_text(policy[name])}"
        for name in ("by", "strategy", "keep", "stratify", "never_learned", "seed")
        if policy.get(name) is not None
    )
    parts = [
        f"---\n{DatasetCardData(**front).to_yaml()}\n---",
        "# A pruned data set",
        f"{counts['kept']:,} of {counts['total']:,} examples, chosen by curate: {chosen}.",
        layout.note,
        f"```python\n{layout.reading}\n```",
        "PATH stands for this folder.",
        "## Classes",
        _classes(selection, view),
        "## Provenance",
        f"Source: {_text(origin['source']['type'])}, fingerprint "
        f"`{origin['source']['fingerprint']}`. Everything else is in `provenance.json`: policy, "
        "seeds, checksum of the example table, versions, date. The licence is that of the source.",
    ]
    return "\n\n".join(parts) + "\n"


def _classes(selection: "Selection", view: View) -> str:
    summary = selection.summary()
    lines = ["| class | total | kept | fraction |", "|---|---:|---:|---:|"]
    for row in summary.slice(0, _MOST_CLASSES).to_pylist():
        label = row["label"]
        name = view.class_name(label) if view.class_names and label is not None else label
        name = "(no label)" if name is None else str(name)
        lines.append(
            f"| {_text(name)} | {row['total']:,} | {row['kept']:,} | {row['fraction']:.1%} |"
        )
    text = "\n".join(lines)
    if len(summary) > _MOST_CLASSES:
        text += f"\n\nand {len(summary) - _MOST_CLASSES:,} more classes."
    return text


def _text(value: object) -> str:
    """A value on one line, with what Markdown or HTML could take for markup made harmless."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    text = "".join(char if char.isprintable() else " " for char in text)
    text = text if len(text) <= 80 else text[:79] + "…"
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join("\\" + char if char in _MARKUP else char for char in text)


_MARKUP = set("\\`*_[]|#!~")


def _size_category(count: int) -> str:
    return next((name for limit, name in _SIZES if count < limit), "n>1T")
