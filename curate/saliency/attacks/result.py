"""Images whose explanation was attacked."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Attacked:
    """What an attack found for each of n images.

    Attributes:
        name: of the attack.
        images: (n, C, H, W), perturbed; where nothing kept the prediction, as they were.
        found: bool (n,), whether anything that was tried kept the prediction.
        maps: of the perturbed images, by the method as it is: (n, C, H, W).
        objective: what the attack reached on those maps, float (n,): higher is a worse map.
        target: the class that was explained and kept, int64 (n,).
    """

    name: str
    images: Tensor
    found: Tensor
    maps: Tensor
    objective: Tensor
    target: Tensor

    def __repr__(self) -> str:
        return f"Attacked({self.name}, {int(self.found.sum())} of {len(self.images)} images)"

    def __str__(self) -> str:
        lost = len(self.images) - int(self.found.sum())
        text = f"{self.name}: {len(self.images)} images"
        if lost:
            text += f"; of {lost} no perturbation that was tried keeps the prediction"
        return text
