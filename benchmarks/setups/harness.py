"""What the set-ups of trainers.py share: data, a net that notes what it saw, and what is right.

Every input carries the number of its example, and the nets note number and logits of each forward
pass themselves. So what is right is known without curate, loaders or trainers having a say.
"""

import inspect
import math
import os
import random
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset, DistributedSampler

import curate

N, CLASSES, BATCH, EPOCHS = 48, 3, 4, 3
_DRAWN = random.Random(0)
Y = torch.tensor([_DRAWN.randrange(CLASSES) for _ in range(N)])
X = torch.randn(N, 5, generator=torch.Generator().manual_seed(0))
X[:, 0] = torch.arange(N)
TOKENS = [[1 + i, *(50 + _DRAWN.randrange(40) for _ in range(6))] for i in range(N)]

SEEN: list[tuple[list[int], list[Any]]] = []
"""Of each training step of this process: the examples' numbers and their logits."""


@dataclass(frozen=True)
class Setup:
    """``work(run)`` trains and returns a recorder. ``truth``: label by example; ``kind``: of it."""

    library: str
    name: str
    work: Callable[["Run"], Any]
    kind: str
    truth: list[Any]
    needs: tuple[str, ...]
    sweeps: bool

    @property
    def lines(self) -> tuple[int, int]:
        """Lines of the loop that the user added, and changed."""
        source = inspect.getsource(self.work)
        for name, value in vars(inspect.getmodule(self.work)).items():
            mine = getattr(value, "__module__", None) == self.work.__module__
            if (inspect.isclass(value) or inspect.isfunction(value)) and mine:
                called = f"{name}(" in source and value is not self.work
                source += inspect.getsource(value) if called else ""
        return source.count("# added"), source.count("# changed")


SETUPS: list[Setup] = []


def setup(
    library: str,
    name: str,
    kind: str = "multiclass",
    truth: Any = Y,
    needs: tuple[str, ...] = (),
    sweeps: bool = False,
) -> Callable[[Any], Any]:
    """Put a function among the set-ups."""
    labels = truth.tolist() if isinstance(truth, Tensor) else truth

    def put(work: Any) -> Any:
        SETUPS.append(Setup(library, name, work, kind, labels, needs, sweeps))
        return work

    return put


@dataclass
class Run:
    """One process of a set-up."""

    rank: int
    ranks: int
    folder: Path

    def start(self) -> None:
        """The process group, where there are several processes."""
        if self.ranks > 1 and not dist.is_initialized():
            dist.init_process_group("gloo")

    def once(self, work: Callable[[], Any]) -> None:
        """Do work in one process, as if it were alone; the others wait."""
        mark = self.folder / "once"
        if self.rank == 0:
            kept = dict(os.environ)
            for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "NODE_RANK"):
                os.environ.pop(name, None)
            work()
            os.environ.update(kept)
            mark.touch()
        while not mark.exists():
            time.sleep(0.1)

    def wrapped(self, model: nn.Module) -> nn.Module:
        """The model as it is trained."""
        self.start()
        return DistributedDataParallel(model) if self.ranks > 1 else model

    def recorder(self, ids: Any = None, **options: Any) -> curate.Recorder:
        """What the docs say: a DistributedRecorder on several processes, else a Recorder."""
        from curate.record import DistributedRecorder

        self.start()
        return (DistributedRecorder if self.ranks > 1 else curate.Recorder)(ids, **options)

    def loader(self, data: Dataset[Any], **options: Any) -> DataLoader[Any]:
        """Shuffled; this process's share of it."""
        if self.ranks > 1:
            self.start()
            return DataLoader(data, BATCH, sampler=DistributedSampler(data), **options)
        return DataLoader(data, BATCH, shuffle=True, **options)

    def epochs(self, loader: Any, count: int = EPOCHS) -> Iterator[int]:
        """The epochs' numbers, told to the sampler."""
        for epoch in range(count):
            if isinstance(getattr(loader, "sampler", None), DistributedSampler):
                loader.sampler.set_epoch(epoch)
            yield epoch


_SWEEPING = [False]


def note_sweeps(sweeps: bool) -> None:
    """Whether passes in evaluation mode are noted, in the place of training steps."""
    _SWEEPING[0] = sweeps


def note(model: nn.Module, numbers: Tensor, logits: Tensor) -> None:
    """Note a forward pass of ``model``."""
    steps = model.training and torch.is_grad_enabled()
    if steps if not _SWEEPING[0] else not model.training:
        SEEN.append((numbers.reshape(-1).long().tolist(), logits.detach().double().tolist()))


class Net(nn.Module):
    """A linear layer over all but the first number, which says which example it is."""

    def __init__(self, outputs: int = CLASSES) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(4, outputs)

    def forward(self, x: Tensor) -> Tensor:
        logits = self.layer(x[:, 1:])
        note(self, x[:, 0], logits)
        return logits


def train(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), 2.0)


def of_tokens(model: nn.Module) -> nn.Module:
    """A language model that notes its passes: the first token says which example it is."""

    def noting(model: nn.Module, args: Any, kwargs: Any, outputs: Any) -> None:
        tokens = kwargs["input_ids"] if "input_ids" in kwargs else args[0]
        note(model, tokens[:, 0] - 1, outputs["logits"])

    model.register_forward_hook(noting, with_kwargs=True)
    return model


# ---- what is right: one Python list an example


def _cross_entropy(row: list[float], label: int) -> float:
    top = max(row)
    return math.log(sum(math.exp(value - top) for value in row)) + top - row[label]


def _margin(row: list[float], label: int) -> float:
    return row[label] - max(value for j, value in enumerate(row) if j != label)


def _softplus(value: float) -> float:
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))


def outcome(kind: str, logits: Any, label: Any) -> tuple[bool, float, float] | None:
    """Correct, loss and margin of one presentation; None where nothing is known of it."""
    if kind == "multiclass":
        right = logits.index(max(logits)) == label
        return right, _cross_entropy(logits, label), _margin(logits, label)
    if kind == "binary":
        logits, label = [logits if isinstance(logits, float) else logits[0]], [label]
    if kind in ("binary", "multilabel"):
        signed = [z if y else -z for z, y in zip(logits, label, strict=True) if y >= 0]
        right = all(z > 0 if y else z <= 0 for z, y in zip(logits, label, strict=True) if y >= 0)
        if not signed:
            return None
        return right, sum(_softplus(-z) for z in signed) / len(signed), min(signed)
    if kind == "causal":  # logits at t are of the token at t + 1
        logits, label = logits[:-1], label[1:]
    known = [(row, y) for row, y in zip(logits, label, strict=True) if y >= 0]
    if not known:
        return None
    right = all(row.index(max(row)) == y for row, y in known)
    losses, margins = [_cross_entropy(*each) for each in known], [_margin(*each) for each in known]
    return right, sum(losses) / len(losses), min(margins)


def reference(setup: Setup, seen: list[list[Any]]) -> dict[int, dict[str, Any]]:
    """What a table has to say: the steps of all ranks, in the order of step, rank, position."""
    outcomes = defaultdict(list)
    for step in range(max(map(len, seen))):
        for of_rank in seen:
            if step < len(of_rank):
                for number, logits in zip(*of_rank[step], strict=True):
                    found = outcome(setup.kind, logits, setup.truth[number])
                    if found is not None:
                        outcomes[number].append(found)
    rows = {}
    for number, every in outcomes.items():
        right = [each[0] for each in every]
        rows[number] = {
            "presentations": len(every),
            "correct": sum(right),
            "forgetting_events": sum(a and not b for a, b in pairwise(right)),
            "first_learned": right.index(True) + 1 if True in right else None,
            "loss_mean": sum(each[1] for each in every) / len(every),
            "margin_mean": sum(each[2] for each in every) / len(every),
        }
    return rows


def difference(setup: Setup, seen: list[list[Any]], tables: list[list[dict[str, Any]]]) -> str:
    """How the tables of all ranks differ from what is right; "" where they do not."""
    expected = reference(setup, seen)
    if len(expected) < N // 2:
        return f"only {len(expected)} examples were trained on"
    for rank, table in enumerate(tables):
        found = {int(re.findall(r"\d+", str(row["example_id"]))[-1]): row for row in table}
        for number in range(N):
            row, right = found.get(number, {"presentations": 0}), expected.get(number)
            for name, value in (right or {"presentations": 0}).items():
                near = isinstance(value, float) and isinstance(row[name], float)
                if row[name] != value and not (
                    near and math.isclose(row[name], value, rel_tol=1e-3, abs_tol=1e-4)
                ):
                    return f"rank {rank}, example {number}: {name} {row[name]}, right {value}"
    return ""
