"""What a network of an experiment sees half way, as features that find copies of images."""

from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import interpolate

from curate.errors import CurateError
from curate.features import middle
from curate.train._train import Trained


def middle_features(trained: Trained) -> Callable[[Tensor], Tensor]:
    """A trained network's middle layer (:func:`curate.features.middle`), on images of any size.

    Images are brought to the size, the channels and the normalisation that it was trained with.

    Args:
        trained: what :func:`curate.train.train` or :func:`curate.train.load_model` returned.

    Returns:
        A function from images, uint8 or floating in 0..1 of shape (N, 1 or 3, H, W), to float32
        features (N, d): for ``features=`` of :func:`curate.retest.near_duplicates`.

    Raises:
        CurateError: a network for something else than images.
    """
    shape, normalise = trained.shape, trained.normalise
    if len(shape) != 3 or normalise is None:
        raise CurateError(
            f"features: a network for examples of shape {shape}; give one that was trained on "
            "images, of shape (channels, height, width)"
        )
    mean, std = ((value.flatten() / 255).tolist() for value in (normalise.mean, normalise.std))
    activations = middle(trained.model, None, tuple(mean), tuple(std))

    def features(images: Tensor) -> Tensor:
        values = images.float() / (1 if images.is_floating_point() else 255)
        if shape[0] == 1:
            values = values.mean(1, keepdim=True)
        elif values.shape[1] == 1:
            values = values.expand(-1, shape[0], -1, -1)
        if values.shape[2:] != shape[1:]:
            values = interpolate(values, shape[1:], mode="bilinear", antialias=True)
        return activations(values)

    return features
