"""Work on a data set's rows in the workers of a Ray cluster, through Ray Data."""

import pickle
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pyarrow as pa
import torch

from curate.data.view import View
from curate.errors import CurateError, is_choice

Engine: TypeAlias = Literal["ray"]
"""What else than this process can work on the examples."""

_TOGETHER = 16
"""Blocks of rows at most that are handed to a worker at a time, and done again if it is lost."""


def checked_engine(engine: str | None) -> bool:
    """Whether the work goes to Ray: False for None, this process.

    Raises:
        CurateError: another name, or Ray is not installed.
    """
    if engine is None:
        return False
    if not is_choice(engine, get_args(Engine)):
        raise CurateError(f"engine: {engine!r:.80}; give 'ray', or None for this process")
    try:
        import ray.data  # noqa: F401
    except ImportError as error:
        raise CurateError("engine: 'ray' needs Ray Data; pip install 'curate-data[ray]'") from error
    return True


def blocks_on_ray(
    view: View, function: Callable[[View, int, int], Any], step: int, gpus: int = 0
) -> Iterator[Any]:
    """``function(view, start, stop)`` for every ``step`` rows of a set, in their order.

    The view goes to each worker once: images in files are read by the workers, under the same
    paths, and images in memory are sent. A worker has one processor, and one thread of torch. The
    cluster is the one that ``ray.init`` connected to, else Ray starts one on this machine.

    Args:
        view: n examples.
        function: that can be pickled, as can what it returns.
        step: rows of a block; the last one may have fewer.
        gpus: of each worker.

    Raises:
        CurateError: the one that the function raised for the first block that it cannot use.
    """
    import ray.data

    starts = np.arange(0, len(view), step)
    there = ray.put(view)
    resources = ray.cluster_resources()
    workers = int(resources.get("GPU", 0) / gpus if gpus else resources.get("CPU", 1))
    workers = max(1, min(workers, len(starts)))
    together = max(1, min(_TOGETHER, len(starts) // (4 * workers)))
    parts = [
        pa.table({"start": starts[first : first + together]})
        for first in range(0, len(starts), together)
    ]
    rows = ray.data.from_arrow(parts)
    rows.context.execution_options.preserve_order = True
    rows.context.enable_progress_bars = False
    done = rows.map_batches(
        _Worker,
        fn_constructor_args=(there, function, step),
        batch_format="pyarrow",
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
        num_gpus=gpus,
    )
    for row in done.iter_rows():
        result = pickle.loads(row["result"])
        if isinstance(result, CurateError):
            raise result
        yield result


class _Worker:
    """Holds the view while blocks of its rows are worked on."""

    def __init__(self, there: Any, function: Callable[[View, int, int], Any], step: int) -> None:
        import ray

        torch.set_num_threads(1)
        self.view, self.function, self.step = ray.get(there), function, step

    def __call__(self, batch: pa.Table) -> pa.Table:
        (start,) = batch["start"].to_pylist()
        stop = min(start + self.step, len(self.view))
        try:
            result = self.function(self.view, start, stop)
        except CurateError as error:  # Ray would tell the user of its own tasks
            result = error
        content = pickle.dumps(result, pickle.HIGHEST_PROTOCOL)
        return pa.table({"result": pa.array([content], pa.large_binary())})
