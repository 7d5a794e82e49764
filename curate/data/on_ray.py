"""Work on a data set's rows in the workers of a Ray cluster."""

from collections import deque
from collections.abc import Callable, Iterator, Sized
from functools import partial
from itertools import cycle
from typing import Any, Literal, TypeAlias, get_args

import torch

from curate.errors import CurateError, is_choice

Engine: TypeAlias = Literal["ray"]
"""What else than this process can work on the examples."""

_TOGETHER = 16
"""Blocks of rows at most that are handed to a worker at a time, and done again if it is lost."""

_AHEAD = 4
"""Parts of so many blocks a worker that are under way at most, or wait to be taken."""


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
        import ray  # noqa: F401
    except ImportError as error:
        raise CurateError("engine: 'ray' needs Ray; pip install 'curate-data[ray]'") from error
    return True


Blocks: TypeAlias = Callable[[Any, Callable[[Any, int, int], Any], int], Iterator[Any]]
"""From rows, a function of them and a step to what it gives for every block, in order."""


def blocks_here(rows: Sized, function: Callable[[Any, int, int], Any], step: int) -> Iterator[Any]:
    """``function(rows, start, stop)`` for every ``step`` rows of a set, in this process."""
    for start in range(0, len(rows), step):
        yield function(rows, start, min(start + step, len(rows)))


def blocks_by(engine: Engine | None, function: Any = None) -> Blocks:
    """:func:`blocks_on_ray` or :func:`blocks_here`; a network on a GPU gives each worker a GPU.

    Raises:
        CurateError: another engine, or Ray is not installed.
    """
    if not checked_engine(engine):
        return blocks_here
    on_gpu = isinstance(function, torch.nn.Module) and any(p.is_cuda for p in function.parameters())
    return partial(blocks_on_ray, gpus=int(on_gpu))


def blocks_on_ray(
    rows: Sized, function: Callable[[Any, int, int], Any], step: int, gpus: int = 0
) -> Iterator[Any]:
    """``function(rows, start, stop)`` for every ``step`` rows of a set, in their order.

    The rows go to each worker once: images in files are read by the workers, under the same
    paths, and images in memory are sent. A worker has one processor, and one thread of torch. The
    cluster is the one that ``ray.init`` connected to, else Ray starts one on this machine.

    Args:
        rows: n examples: a :class:`curate.data.view.View`, or anything else that can be pickled.
        function: that can be pickled, as can what it returns.
        step: rows of a block; the last one may have fewer.
        gpus: of each worker.

    Raises:
        CurateError: the one that the function raised for the first block that it cannot use.
    """
    import ray

    there = [ray.put((rows, function))]  # in a list, Ray does not replace it by what it holds
    resources = ray.cluster_resources()
    starts = range(0, len(rows), step)
    workers = int(resources.get("GPU", 0) / gpus if gpus else resources.get("CPU", 1))
    workers = max(1, min(workers, len(starts)))
    together = max(1, min(_TOGETHER, len(starts) // (4 * workers)))
    if gpus:  # Ray keeps the processes of tasks for the next call, but ends those that had a GPU
        actor: Any = ray.remote(_Worker).options(
            num_cpus=1, num_gpus=gpus, max_restarts=-1, max_task_retries=3
        )
        turns = cycle([actor.remote().work.remote for _ in range(workers)])
    else:
        turns = cycle([ray.remote(_work).options(num_cpus=1).remote])
    parts = (list(starts[first : first + together]) for first in range(0, len(starts), together))
    pending: deque[Any] = deque()
    try:
        for part in parts:
            pending.append(next(turns)(there, part, step))
            if len(pending) == _AHEAD * workers:
                yield from _results(pending.popleft())
        while pending:
            yield from _results(pending.popleft())
    finally:
        for part in pending:  # an error was raised, or nobody wants the rest
            ray.cancel(part)


def _results(part: Any) -> Iterator[Any]:
    import ray

    for result in ray.get(part):
        if isinstance(result, CurateError):
            raise result
        yield result


_HELD: dict[str, Any] = {}
"""In a worker: the rows and the function of the last call, so that they come there once."""


def _work(there: list[Any], starts: list[int], step: int) -> list[Any]:
    import ray

    torch.set_num_threads(1)
    (call,) = there
    if call.hex() not in _HELD:
        _HELD.clear()
        _HELD[call.hex()] = ray.get(call)
    rows, function = _HELD[call.hex()]
    results: list[Any] = []
    for start in starts:
        try:
            results.append(function(rows, start, min(start + step, len(rows))))
        except CurateError as error:  # Ray would tell the user of its own tasks
            return [*results, error]
    return results


class _Worker:
    """The same in an actor, which keeps its GPU and what was moved there."""

    def work(self, there: list[Any], starts: list[int], step: int) -> list[Any]:
        return _work(there, starts, step)
