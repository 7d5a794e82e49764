"""``format="indices"``: which rows of the source are kept, and nothing of its content."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from curate import table as files
from curate.data.ids import as_arrow, take_ids
from curate.data.view import View
from curate.exporting.layout import Layout


def write_indices(view: View, kept: np.ndarray, folder: Path) -> Layout:
    """Write ``positions.npy`` (int64) and ``kept.parquet`` (``example_id``, ``position``)."""
    np.save(folder / "positions.npy", kept, allow_pickle=False)
    ids = as_arrow(take_ids(view.ids, kept))
    files.write(pa.table({"example_id": ids, "position": kept}), folder / "kept.parquet")
    return Layout(
        "import numpy\nfrom torch.utils.data import Subset\n\n"
        'positions = numpy.load("PATH/positions.npy")\nkept = Subset(dataset, positions.tolist())',
        "kept.parquet",
        "The positions of the kept examples in the data set that was exported, in order: "
        "`positions.npy` (int64), and `kept.parquet` with `example_id` and `position`.",
    )
