"""From one step's arguments to outcomes by row."""

from typing import NamedTuple

import torch
from torch import Tensor

from curate.record import sync
from curate.record.core import Core
from curate.record.inputs.growing import GrowingLookup
from curate.record.inputs.ids import RowLookup
from curate.record.inputs.kinds import Step
from curate.record.inputs.problems import Problems
from curate.record.inputs.tensors import on_device
from curate.record.outcomes import Judged, float_copy, outcomes_of
from curate.record.windowed.temporal import log_ratios


class JudgedStep(NamedTuple):
    """``rows``: (N,) int64, n where the presentation is left out. ``problems``: all that there are
    with those of this step, or None where it has none.
    """

    rows: Tensor
    outcomes: Judged
    problems: Problems | None


def judge(
    core: Core, known_ids: RowLookup | GrowingLookup, ids: Tensor, step: Step, copied: bool
) -> JudgedStep:
    """Judge a step of N > 0 examples; nothing of the core is changed, nothing waits for a GPU.

    Args:
        core: with a state, on whose device it is done.
        known_ids: the recorder's.
        ids: (N,) int64, as ``known_ids.taken`` gave them.
        step: of the core's kind.
        copied: whether its logits may be overwritten.
    """
    assert core.state is not None
    assert core.problems is not None
    device = core.state.packed.device
    logits = on_device(step.logits, device)
    if step.kind != "sequence" and not copied:
        logits = float_copy(logits)
    labels, ids = on_device(step.labels, device), on_device(ids, device)
    counted = None if step.counted is None else on_device(step.counted, device)
    ratios = log_ratios(step.kind, logits) if "tdds" in core.also else None
    batch = outcomes_of(step.kind, logits, labels, counted, core.everything)
    if ratios is not None and batch.judged[1] is not None:
        batch.judged[1]["log_ratios"] = ratios
    rows = known_ids.rows(ids)
    known = (rows >= 0) & (rows < len(known_ids))
    good = known & batch.good
    asked = None if step.asked is None else on_device(step.asked, device)
    if asked is not None:
        good &= asked
    if batch.nothing is not None:
        good &= ~batch.nothing
    if sync.is_free_to_read(good) and bool(good.all()):
        return JudgedStep(rows, batch.judged, None)
    unknown, impossible = ~known, ~batch.good
    if asked is not None:
        unknown, impossible = unknown & asked, impossible & asked
    problems = core.problems.and_(ids, unknown, batch.label_to_show, impossible)
    return JudgedStep(torch.where(good, rows, core.n), batch.judged, problems)
