"""Jobs of one call over threads, or over an executor that the user brings."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa

from curate.errors import CurateError


def run_jobs(
    function: Callable[[Any], Any], items: Sequence[Any], executor: Any = None
) -> list[Any]:
    """What the function returns for each item, in their order.

    Args:
        function, items: that can be pickled, for an executor of other processes.
        executor: anything with ``submit(function, item)`` that returns a future (a
            ``concurrent.futures`` executor, a ``dask.distributed.Client``, submitit) or with
            ``map(function, items)`` (a pool of ``multiprocessing``, ``ray.util.multiprocessing``);
            None: as many threads as there are processors.

    Raises:
        CurateError: an executor that has neither; and whatever a job raises.
    """
    if executor is None:
        with ThreadPoolExecutor(max(1, min(len(items), pa.cpu_count()))) as pool:
            return _submitted(pool, function, items)
    if callable(getattr(executor, "submit", None)):
        return _submitted(executor, function, items)
    if callable(getattr(executor, "map", None)):
        return list(executor.map(function, items))
    raise CurateError(
        f"executor: a {type(executor).__name__} has neither submit nor map; give a pool or an "
        "executor, such as concurrent.futures.ProcessPoolExecutor()"
    )


def _submitted(pool: Any, function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    jobs = [pool.submit(function, item) for item in items]
    try:
        return [job.result() for job in jobs]
    finally:
        for job in jobs:  # after an error the rest need not run
            job.cancel()
