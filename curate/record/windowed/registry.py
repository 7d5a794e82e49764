"""Statistics over a window of an example's last presentations, recorded where asked for.

They need more memory than sums do: what the window still holds. All take each presentation as one
step in time, as their papers take an epoch; presentations with non-finite logits are left out.
"""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from curate.errors import CurateError, is_choice
from curate.record.windowed.temporal import Temporal
from curate.record.windowed.uncertainty import Uncertainty

Windowed = Uncertainty | Temporal

WINDOWED: dict[str, Callable[[int, int, torch.device], Windowed]] = {
    "dual": Uncertainty,
    "dyn_unc": Uncertainty,
    "tdds": Temporal,
}
"""What a Recorder can keep besides (``also=``), and what keeps it; columns of the same names."""


def make_windowed(
    names: Iterable[str], n: int, window: int, device: torch.device
) -> dict[str, Windowed]:
    """What keeps the statistics of these names, each once, by its own name."""
    kinds = dict.fromkeys(WINDOWED[name] for name in names)
    return {kind.__name__.lower(): kind(n, window, device) for kind in kinds}  # type: ignore[attr-defined]


def check_windowed(names: Iterable[str], window: int, everything: bool) -> tuple[str, ...]:
    """The names, in the order of :data:`WINDOWED`.

    Raises:
        CurateError: an unknown name, a window that is no number of presentations, or
            ``track="forgetting"``, which computes no probability.
    """
    try:
        names = [names] if isinstance(names, str) else list(names)
    except (TypeError, RuntimeError):
        raise CurateError(
            f"also: {names!r:.80}; give a list of names among {', '.join(WINDOWED)}"
        ) from None
    for name in names:
        if not is_choice(name, WINDOWED):
            raise CurateError(f"also: {name!r} is none of {', '.join(WINDOWED)}")
    if isinstance(window, bool) or not isinstance(window, int) or not 3 <= window <= 1000:
        raise CurateError(f"window: {window!r}; give a number of presentations, 3 to 1,000")
    if names and not everything:
        raise CurateError(f"also: {names[0]!r} needs probabilities; record with track='all'")
    return tuple(name for name in WINDOWED if name in names)


def tensors_of(windowed: Mapping[str, Windowed]) -> dict[str, dict[str, Tensor]]:
    """Copies of all tensors, for a state dict."""
    return {
        name: {key: tensor.clone() for key, tensor in keeps.tensors.items()}
        for name, keeps in windowed.items()
    }


def resized(keeps: Windowed, n: int) -> Windowed:
    """The same for n examples: the first of these, or these and others never presented."""
    made = type(keeps)(n, keeps.window, keeps.device)
    if isinstance(keeps, Temporal) and keeps.tensors:
        assert isinstance(made, Temporal)
        made.begin(keeps.tensors["last"].shape[1])
    for key, tensor in keeps.tensors.items():
        same = min(n, len(tensor) - 1)
        made.tensors[key][:same] = tensor[:same]
    return made


def load_tensors(
    windowed: Mapping[str, Windowed], state: Mapping[str, Mapping[str, Tensor]]
) -> None:
    """Take over the tensors that a state dict holds."""
    for name, keeps in windowed.items():
        for key, tensor in state[name].items():
            if isinstance(keeps, Temporal) and not keeps.tensors:
                keeps.begin(state[name]["last"].shape[1])
            keeps.tensors[key].copy_(tensor)
