"""Counting bad records on the device, to be raised when somebody looks."""

from typing import NamedTuple

import torch
from torch import Tensor

from curate.record.inputs.kinds import NO_CLASS
from curate.record.packed import MAX_COUNT

_KEPT = "; they were left out, all others are kept, and calling again goes on"


class Problems(NamedTuple):
    """Presentations left out because their id or label was impossible, counted where they are.

    ``ids``: (2,) int64, how many, and one of them. ``labels``: (2,) float64, the same.
    """

    ids: Tensor
    labels: Tensor

    @staticmethod
    def none(device: torch.device) -> "Problems":
        """Nothing left out so far."""
        return Problems(
            torch.zeros(2, dtype=torch.int64, device=device),
            torch.zeros(2, dtype=torch.float64, device=device),
        )

    def and_(self, ids: Tensor, unknown: Tensor, labels: Tensor, bad_label: Tensor) -> "Problems":
        """With ids that are unknown and labels that are impossible; (N,) tensors, no sync."""
        return Problems(
            _added(self.ids, ids, unknown), _added(self.labels, labels.double(), bad_label)
        )


def _added(totals: Tensor, values: Tensor, bad: Tensor) -> Tensor:
    lowest = -torch.inf if values.is_floating_point() else torch.iinfo(values.dtype).min
    shown = torch.where(bad, values, lowest).amax()
    return torch.stack([totals[0] + bad.sum(), torch.where(bad.any(), shown, totals[1])])


class Left(NamedTuple):
    """The same on the host: how many were left out, and one to show.

    ``ids`` and ``labels``: (how many, one of them); ``full``: presentations of examples that had
    65,535 already.
    """

    ids: tuple[int, int | str]
    labels: tuple[float, float]
    full: int

    def sentences(self, known: int) -> list[str]:
        """What to tell the user, a sentence a problem."""
        found = []
        if self.ids[0]:
            found.append(
                f"example_id: {self.ids[0]} presentations had an id that is not among the {known} "
                f"of this Recorder (such as {self.ids[1]!r}){_KEPT}. Give it the ids of this data "
                "set, or make it with none, curate.Recorder(), to let it grow"
            )
        if self.labels[0]:
            found.append(f"labels: {self.labels[0]:.0f} presentations had {self._label()}")
        if self.full:
            found.append(
                f"example_id: {self.full} presentations came after the same example's "
                f"{MAX_COUNT:,}th, the most that a Recorder counts{_KEPT}. Save the table, go on "
                "with a new Recorder, and add the tables with curate.merge"
            )
        return found

    def _label(self) -> str:
        shown = self.labels[1]
        if shown == NO_CLASS:
            return (
                f"a row of (N, C) labels that is not one-hot{_KEPT}. Give the class indices and "
                "leave mixed examples out with mask=; for several classes an example make the "
                "Recorder with kind='multilabel'"
            )
        if not shown.is_integer():
            return (
                f"soft or fractional labels (such as {shown:.4g}){_KEPT}. Give class indices, or "
                "0 and 1, and leave mixed examples out with mask="
            )
        return f"a label outside 0..C-1 (such as {shown:.0f}){_KEPT}. Leave them out with mask="
