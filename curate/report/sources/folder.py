"""A game of Name That Dataset as a folder: tables, pictures and the report."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from curate.files import atomic_path
from curate.report.charts.identification_charts import identification_charts
from curate.report.sources.identification import write_identification
from curate.table import open_writer, write

if TYPE_CHECKING:
    from curate.bias import CrossDataset, Identification, MarketValue, Source


def save_identification(
    folder: str | os.PathLike[str],
    found: "Identification",
    *,
    title: str,
    sources: "list[Source] | None" = None,
    cross: "CrossDataset | None" = None,
    market: "MarketValue | None" = None,
    facts: Mapping[str, object] | None = None,
    left_out: str | None = None,
) -> Path:
    """Write all that a game found, each file whole or not at all.

    ``probabilities``, ``per_source``, ``confusion``, ``curve``, ``overlap`` (ids of what sources
    share), ``left_out`` and, where there are such results, ``single_columns``,
    ``nuisances``, ``nuisance_pairs``, ``cross_dataset``,
    ``exchange``, ``baskets`` and ``market_curves``, all .parquet; ``confusion``, ``learning_curve``
    and ``exchange``, .svg; and report.html.

    Args:
        folder: made if need be; files of these names in it are replaced.
        found: what :func:`curate.bias.name_that_dataset` gave.
        title: the report's heading.
        sources: those of the game; if all have images, the report shows the most telling ones.
        cross: of :func:`curate.bias.cross_dataset`.
        market: of :func:`curate.bias.market_value`.
        facts: short texts on the run by name, for the report.
        left_out: which tables there are not, and why.

    Returns:
        The path of the report.

    Raises:
        OSError: a file cannot be written.
    """
    place = Path(folder)
    write(found.probabilities, place / "probabilities.parquet")
    for name, table in _tables(found, cross, market).items():
        with open_writer(place / f"{name}.parquet", table.schema) as writer:
            writer.write_table(table)
    for name, drawing in identification_charts(found, market).items():
        with atomic_path(place / f"{name}.svg") as path:
            path.write_text(drawing, encoding="utf-8")
    return write_identification(
        place / "report.html",
        found,
        title=title,
        image=_pictures(sources) if sources and all(one.has_images for one in sources) else None,
        label=_classes(sources) if sources else None,
        cross=cross,
        market=market,
        facts=facts,
        left_out=left_out,
    )


def _tables(
    found: "Identification", cross: "CrossDataset | None", market: "MarketValue | None"
) -> dict[str, pa.Table]:
    tables = {
        "confusion": found.confusion,
        "curve": found.curve,
        "per_source": found.per_source,
    }
    if found.overlap is not None:
        tables["overlap"] = found.overlap.pairs
    if found.left_out is not None:
        tables["left_out"] = found.left_out
    if found.single_columns is not None:
        tables["single_columns"] = found.single_columns
    if found.audit is not None:
        tables |= {"nuisances": found.audit.table, "nuisance_pairs": found.audit.pairs}
        if found.audit.properties is not None:
            tables["properties"] = found.audit.properties
    if cross is not None:
        tables["cross_dataset"] = cross.cells
    if market is not None:
        tables |= {"exchange": market.table, "baskets": market.baskets}
        tables["market_curves"] = market.curves
    return tables


def _pictures(sources: "list[Source]") -> Callable[[str, Any], np.ndarray]:
    """From a source's name and an id, as the table of probabilities has it, to the picture."""
    places = _places(sources)
    by_name = {source.name: source for source in sources}
    return lambda name, example_id: by_name[name].image(places[name][str(example_id)])


def _classes(sources: "list[Source]") -> Callable[[str, Any], str | None] | None:
    """From a source's name and an id to the name of its class; None where none is labelled."""
    if all(source.labels is None for source in sources):
        return None
    places = _places(sources)
    by_name = {source.name: source for source in sources}

    def name_of(name: str, example_id: Any) -> str | None:
        source = by_name[name]
        if source.labels is None:
            return None
        label = int(source.labels[places[name][str(example_id)]])
        names = source.class_names
        return str(names[label]) if names and 0 <= label < len(names) else str(label)

    return name_of


def _places(sources: "list[Source]") -> dict[str, dict[str, int]]:
    return {
        source.name: {str(example_id): row for row, example_id in enumerate(source.ids)}
        for source in sources
    }
