"""A classifier as every saliency method sees it: pixels in, checked logits out."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from curate.errors import CurateError
from curate.saliency.engine.constant import ConstantWeights
from curate.saliency.engine.probe import check_in_reach
from curate.saliency.engine.rules import Rules
from curate.saliency.engine.running import as_written

Normalise = Callable[[Tensor], Tensor] | tuple[Sequence[float], Sequence[float]] | None


@dataclass(frozen=True, eq=False)
class Net:
    """A model with all that is needed to ask it for the logits of images in pixel units.

    Attributes:
        model: images to logits, in ``eval()`` mode.
        normalise: (mean, std) per channel, a function of the images, or None.
        softplus_beta: β of the softplus that stands in for ReLU; None: ReLU itself.
        chunk: images in one forward pass at most.
        constant_weights: whether nobody differentiates by the model's weights, which is faster.
        span: the range of a pixel.
    """

    model: nn.Module
    normalise: Normalise = None
    softplus_beta: float | None = None
    chunk: int = 64
    constant_weights: bool = False
    span: float = 1.0

    def logits(self, images: Tensor, rules: Rules | None = None) -> Tensor:
        """Logits (n, classes) of images (n, C, H, W), under rules for its nonlinearities."""
        if rules is None and self.softplus_beta is not None:
            rules = Rules(self.softplus_beta)
        logits = self.read(images, rules)
        _check_logits(logits, len(images))
        return logits

    def read(self, images: Tensor, rules: Rules | None = None) -> Tensor:
        """What the model makes of images, unchecked."""
        inputs = self._normalised(images)
        mode: AbstractContextManager = nullcontext() if rules is None else rules
        constant = ConstantWeights() if self.constant_weights else nullcontext()
        try:
            with as_written():
                if rules is not None:
                    check_in_reach(self.model, inputs, rules)
                with mode, constant:
                    return self.model(inputs)  # type: ignore[no-any-return]
        except (CurateError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise CurateError(
                f"model: it does not take images of {inputs.dtype} and shape "
                f"{tuple(inputs.shape)} ({reason}); give such as it does"
            ) from error

    def score(self, images: Tensor, target: Tensor, rules: Rules | None = None) -> Tensor:
        """The logit of each image's target class: (n,)."""
        logits = self.logits(images, rules)
        if len(target) and int(target.max()) >= logits.shape[1]:
            raise CurateError(
                f"target: class {int(target.max())}; the model has {logits.shape[1]}, so give 0 "
                f"to {logits.shape[1] - 1}"
            )
        return logits.gather(1, target[:, None])[:, 0]

    def predict(self, images: Tensor, least: int = 1) -> tuple[Tensor, Tensor]:
        """The predicted class and its probability, by the model as it is: (n,), (n,).

        ``least``: classes that there have to be.
        """
        plain = replace(self, softplus_beta=None)
        classes, probabilities = [], []
        with torch.no_grad():
            for part in images.detach().split(self.chunk):
                logits = plain.logits(part)
                if logits.shape[1] < least:
                    raise CurateError(
                        "model: one logit, which is the predicted class whatever the image; wrap "
                        "it so that it gives two, such as torch.cat([-z, z], 1)"
                    )
                share, predicted = logits.softmax(1).max(1)
                classes.append(predicted)
                probabilities.append(share)
        return torch.cat(classes), torch.cat(probabilities)

    def _normalised(self, images: Tensor) -> Tensor:
        if self.normalise is None:
            return images.clone()  # a model may work in place on its input
        if callable(self.normalise):
            return self.normalise(images)
        parts = [
            torch.as_tensor(part, dtype=images.dtype, device=images.device).reshape(1, -1, 1, 1)
            for part in self.normalise
        ]
        if len(parts) != 2 or any(part.numel() not in (1, images.shape[1]) for part in parts):
            raise CurateError(
                f"normalise: {self.normalise}; give a mean and a standard deviation for each of "
                f"{images.shape[1]} channels"
            )
        mean, std = parts
        return (images - mean) / std


def _check_logits(logits: object, count: int) -> None:
    if not isinstance(logits, Tensor):
        raise CurateError(
            f"model: it gives a {type(logits).__name__}, not logits; wrap it so that it returns "
            "one tensor (images, classes)"
        )
    if logits.ndim != 2 or len(logits) != count or not logits.is_floating_point():
        raise CurateError(
            f"model: it gives {logits.dtype} of shape {tuple(logits.shape)} for {count} images; "
            f"logits ({count}, classes) are needed"
        )
    with torch.no_grad():
        if bool((logits.isnan() | logits.isposinf()).any()):  # -inf rules a class out
            what = "NaN" if bool(logits.isnan().any()) else "infinity"
            raise CurateError(f"model: {what} among its logits; check its weights and its input")
        if logits.shape[1] > 1 and count and bool((logits >= 0).all()):
            sums = logits.double().sum(1)
            if bool(((sums - 1).abs() < 1e-5).all()):
                raise CurateError(
                    "model: it gives probabilities, not logits; leave the softmax out, whose "
                    "gradient vanishes where the model is sure"
                )
