"""Classifiers that the command line can name; nothing of theirs is unpickled."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from curate.errors import CurateError
from curate.train import load_model


def classifier(
    name: str, weights: str | None, classes: int, arm: str, seed: int
) -> tuple[nn.Module, Callable[[Tensor], Tensor] | None]:
    """The model in eval mode, and how it wants pixels of 0..1 normalised, where that is known.

    Args:
        name: ``run:FOLDER`` of ``curate run``, or an architecture of torchvision or timm
            (``torchvision:NAME`` and ``timm:NAME`` say which).
        weights: file with the state dict of an architecture: ``.safetensors`` or ``torch.save``.
        classes: that the architecture is built for.
        arm: which of a run's models.
        seed: which of that arm's.

    Raises:
        CurateError: an unknown name, weights that do not fit, or a file that holds a program.
    """
    if Path(name).suffix in (".pt2", ".pt", ".pth", ".th", ".ts", ".onnx", ".safetensors"):
        _check_no_program(Path(name))
        raise CurateError(
            f"model: {name!r} is a file of weights; name the architecture, and give "
            f"--weights {name}"
        )
    if name.startswith("run:"):
        trained = load_model(name.removeprefix("run:"), arm, seed)
        normalise = trained.normalise
        model = trained.model.eval()
        return model, None if normalise is None else lambda pixels: normalise(pixels * 255)
    model = _architecture(name, classes)
    if weights is None:
        raise CurateError(f"--weights: none for {name!r}; give the file of its state dict")
    state = _state_dict(Path(weights))
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise CurateError(
            f"--weights: {weights!r} does not fit {name!r} of {classes} classes ({reason})"
        ) from None
    return model.eval(), None


def _architecture(name: str, classes: int) -> nn.Module:
    library, mark, own = name.partition(":")
    if not mark:
        library, own = "", name
    import torchvision

    if library in ("", "torchvision") and own in torchvision.models.list_models():
        return torchvision.models.get_model(own, weights=None, num_classes=classes)
    if library in ("", "timm"):
        try:
            import timm
        except ImportError:
            if library == "timm":
                raise CurateError("model: timm is not installed; pip install timm") from None
        else:
            if timm.is_model(own):
                return timm.create_model(own, pretrained=False, num_classes=classes)
    raise CurateError(
        f"model: {name!r} is no model of torchvision or timm; give one such as resnet18, or "
        "run:FOLDER of a curate run"
    )


def _state_dict(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise CurateError(f"--weights: {str(path)!r} is no file; give that of a state dict")
    if path.suffix == ".safetensors":
        try:
            from safetensors.torch import load_file
        except ImportError:
            raise CurateError(
                "--weights: safetensors is not installed; pip install safetensors"
            ) from None
        return load_file(str(path))
    _check_no_program(path)
    try:
        state: Any = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:
        raise CurateError(
            f"--weights: {str(path)!r} holds no plain state dict, and nothing is unpickled; save "
            "model.state_dict(), or safetensors"
        ) from error
    for key in ("state_dict", "model", "weights"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(one, Tensor) for one in state.values()):
        raise CurateError(f"--weights: {str(path)!r} is no state dict; save model.state_dict()")
    return {name.removeprefix("module."): value for name, value in state.items()}


def _check_no_program(path: Path) -> None:
    if path.suffix == ".onnx":
        raise CurateError("model: an ONNX file has no gradients here; give the torch model")
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if path.suffix == ".pt2" or any("exported_program" in name for name in names):
        raise CurateError(
            f"model: {str(path)!r} was made by torch.export, whose loader falls back to pickles; "
            "give the architecture's name, and its state dict as --weights"
        )
    if any("/code/" in name for name in names):
        raise CurateError(
            f"model: {str(path)!r} is TorchScript, whose ReLU cannot be swapped for softplus; give "
            "the architecture's name, and its state dict as --weights"
        )
