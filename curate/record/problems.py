"""Counting bad records on the device, to be raised when somebody looks."""

import torch
from torch import Tensor

from curate.errors import CurateError
from curate.record.ids import SKIPPED, RowLookup
from curate.record.packed import MAX_COUNT


class Problems:
    """Presentations left out because their id or label was impossible, counted where they are."""

    def __init__(self, device: torch.device) -> None:
        self._ids = torch.zeros(2, dtype=torch.int64, device=device)
        self._labels = torch.zeros(2, dtype=torch.int64, device=device)

    def count(self, ids: Tensor, unknown: Tensor, labels: Tensor, bad_label: Tensor) -> None:
        """Add the ids that are unknown and the labels out of range; (N,) tensors, no sync."""
        for totals, values, bad in ((self._ids, ids, unknown), (self._labels, labels, bad_label)):
            totals[0] += bad.sum()
            totals[1] = torch.where(bad.any(), torch.where(bad, values, SKIPPED).amax(), totals[1])

    def raise_any(self, known: RowLookup, overflow: Tensor) -> None:
        """Raise if anything was left out since the last call, once; reads from the device."""
        (ids, an_id), (labels, a_label) = self._ids.tolist(), self._labels.tolist()
        full = int(overflow)
        for total in (self._ids, self._labels, overflow):
            total.zero_()
        kept = "; they were left out, all others are kept, and calling again goes on"
        if ids:
            shown = known.unknown_string if known.are_strings else an_id
            raise CurateError(
                f"example_id: {ids} presentations had an id that is not among the {len(known)} of "
                f"this Recorder (such as {shown!r}){kept}. Give it the ids of this data set"
            )
        if labels:
            raise CurateError(
                f"labels: {labels} presentations had a label outside 0..C-1 (such as "
                f"{a_label}){kept}. Leave them out with mask="
            )
        if full:
            raise CurateError(
                f"example_id: {full} presentations came after the same example's {MAX_COUNT:,}th, "
                f"the most that a Recorder counts{kept}. Save the table, go on with a new "
                "Recorder, and add the tables with curate.merge"
            )
