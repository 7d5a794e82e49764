"""What a trained network sees: the activations before its classifier."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from curate.errors import CurateError
from curate.features.images import checked_images

_AT_ONCE = 32
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def cnn(
    model: nn.Module,
    mean: tuple[float, float, float] = _MEAN,
    std: tuple[float, float, float] = _STD,
) -> Callable[[Tensor], Tensor]:
    """The penultimate layer of any network of torchvision, timm or your own, as features.

    If the last layer that runs and has parameters is an ``nn.Linear`` or a 1×1 ``nn.Conv2d``, it
    is the classifier, and the features are its input; else the network has no head (timm's
    ``num_classes=0``), and they are its output. Either is averaged over positions or tokens.
    The network runs in evaluation mode, without gradients, on the device of its parameters.

    Args:
        model: takes float images (N, 3, H, W).
        mean: what to subtract from each channel of images in 0..1; ImageNet's.
        std: what to divide by then; ImageNet's.

    Returns:
        A function from images, uint8 or floating in 0..1 of shape (N, 3, H, W), to float32
        features of shape (N, d) on the CPU.
    """

    def features(images: Tensor) -> Tensor:
        device = next((p.device for p in model.parameters()), torch.device("cpu"))
        shift, scale = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (mean, std))
        parts = []
        for part in checked_images(images).split(_AT_ONCE):
            values = part.to(device).float() / (255 if part.dtype == torch.uint8 else 1)
            parts.append(_penultimate(model, (values - shift) / scale).float().cpu())
        return torch.cat(parts)

    return features


def default_model() -> nn.Module:
    """ResNet-18 with torchvision's ImageNet weights, if they have been downloaded before.

    Raises:
        CurateError: they have not; the library downloads nothing here.
    """
    from torchvision.models import ResNet18_Weights, resnet18

    weights = ResNet18_Weights.IMAGENET1K_V1
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    if not file.is_file():
        raise CurateError(
            f"features: 'cnn' is torchvision's ResNet-18 and its weights are not at {str(file)!r};"
            " call torchvision.models.resnet18(weights='IMAGENET1K_V1') once to download them, or"
            " give a network of your own as features"
        )
    model = resnet18()
    try:
        model.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    except Exception as error:  # unpickling a torn file raises errors of many kinds
        raise CurateError(
            f"features: {str(file)!r} does not hold the weights of ResNet-18; remove it and "
            "download them again"
        ) from error
    return model


def _penultimate(model: nn.Module, images: Tensor) -> Tensor:
    last: list[tuple[nn.Module, Tensor]] = []

    def note(module: nn.Module, arguments: tuple[Tensor, ...], output: object) -> None:
        last[:] = [(module, arguments[0])] if arguments else []

    layers = [
        module
        for module in model.modules()
        if next(module.children(), None) is None
        and next(module.parameters(recurse=False), None) is not None
    ]
    modes = {module: module.training for module in model.modules()}
    handles = [layer.register_forward_hook(note) for layer in layers]
    model.eval()
    try:
        with torch.inference_mode():
            output = model(images)
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes.items():
            module.training = training
    if last and _is_classifier(last[0][0]):
        layer, output = last[0]
        tokens = isinstance(layer, nn.Linear)
    else:
        tokens = isinstance(output, Tensor) and output.ndim == 3
    if not isinstance(output, Tensor) or output.ndim < 2 or len(output) != len(images):
        raise CurateError(
            f"features: the {type(model).__name__} does not give one row of numbers per image; "
            "give a function that does"
        )
    if output.ndim == 2:
        return output
    return output.flatten(1, -2).mean(1) if tokens else output.flatten(2).mean(2)


def _is_classifier(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Linear) or (
        isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1)
    )
