"""Any labelled data set as arrays to train on."""

from typing import Any

import numpy as np
import torch

from curate.data._with_ids import WithIds
from curate.data.depth import Depth, deep_pixels
from curate.data.example_set import ExampleSet
from curate.data.formats.columns import TEXT_NAMES
from curate.data.formats.labels import are_far_apart
from curate.data.opening import open_view
from curate.data.pixels import as_pixels, common_shape, is_image
from curate.data.tokens import common_length, tokenize
from curate.data.view import View
from curate.errors import CurateError


def as_example_set(
    dataset: Any, *, like: ExampleSet | None = None, name: str = "dataset"
) -> ExampleSet:
    """The same examples as an :class:`ExampleSet`; one that has its ``arrays`` is returned.

    Images that lie in files stay there until they are needed; everything else is fetched now,
    once, so a random transform is frozen: let the trainer augment.

    Args:
        dataset: anything that :func:`curate.data.with_ids` takes, with integer labels.
        like: the training set, for a test set whose images or texts shall have its shape.
        name: the parameter to name in an error.

    Raises:
        CurateError: no class index for every example, or samples that differ in shape.
    """
    passed_on = isinstance(dataset, WithIds)
    if isinstance(dataset, ExampleSet) or (
        not passed_on and callable(getattr(dataset, "arrays", None))
    ):
        return dataset
    view = open_view(dataset, name=name)
    labels = view.labels
    if labels is None or not len(labels):
        raise CurateError(
            f"{name}: a {type(dataset).__name__} that has no class index for every example; give "
            "integer labels, the second item of a sample or its key 'label'"
        )
    class_names = view.class_names
    if class_names is None:
        labels, class_names = _ranked(labels, like, name)
    if labels.min() < 0:
        raise CurateError(f"{name}: a label is {labels.min()}; class indices start at 0")
    facts = (view.ids, labels, class_names)
    shape = getattr(like, "shape", None)
    if view.encoded is not None:
        shape = common_shape(view.encoded, None, view.ids) if shape is None else shape
        depth = view.depth if like is None else getattr(like, "depth", None)
        return ExampleSet(*facts, shape=shape, encoded=view.encoded, depth=depth)
    if view.pixels is not None:
        return ExampleSet(*facts, shape=view.pixels.shape[1:], values=view.pixels)
    if view.features is not None:
        features = torch.from_numpy(np.asarray(view.features, np.float32))
        _check_finite(features, view, name)
        return ExampleSet(*facts, shape=features.shape[1:], values=features)
    inputs = _inputs(view)
    if isinstance(inputs[0], str):
        length = common_length(inputs) if shape is None else shape[0]
        tokens = tokenize(inputs, length)
        return ExampleSet(*facts, shape=(length,), values=tokens, texts=inputs)
    depth = getattr(like, "depth", None)
    if depth is None and is_image(inputs[0]):
        pillow = (image for image in inputs if not isinstance(image, torch.Tensor | np.ndarray))
        depth = Depth.of(map(deep_pixels, pillow))
    values = _stacked(inputs, name, depth)
    _check_finite(values, view, name)
    return ExampleSet(*facts, shape=values.shape[1:], values=values, depth=depth)


def _ranked(
    labels: np.ndarray, like: ExampleSet | None, name: str
) -> tuple[np.ndarray, list[str] | None]:
    """Class indices and names of labels that are numbers of a catalogue; else labels as they are.

    Those of a test set are numbered as in its training set.
    """
    distinct, inverse = np.unique(labels, return_inverse=True)
    called = [str(value) for value in distinct.tolist()]
    if like is None:
        return (inverse, called) if are_far_apart(distinct) else (labels, None)
    names = like.class_names or []
    numbers = sorted(int(one) for one in names if one.lstrip("-").isdecimal())
    if len(numbers) != len(names) or not are_far_apart(np.array(numbers)):
        return labels, None
    unknown = sorted(set(called) - set(names))
    if unknown:
        raise CurateError(
            f"{name}: the class {unknown[0]} is not in the training set; both need the same classes"
        )
    return np.array([names.index(one) for one in called])[inverse], names


def _inputs(view: View) -> list[Any]:
    """What the net is to see of every example: its text by name, else its first field."""
    first = view.value(0)
    fields = [field for field in TEXT_NAMES if isinstance(first.get(field), str)]
    fields += [field for field in first if field != view.label_field]
    return [value[fields[0]] for value in view.values(np.arange(len(view)))]


def _stacked(inputs: list[Any], name: str, depth: Depth | None) -> torch.Tensor:
    """uint8 (n, C, H, W) of images, float32 (n, ...) of everything else."""
    images = is_image(inputs[0])
    try:
        arrays = [
            _channels_first(value, depth) if images else np.asarray(value) for value in inputs
        ]
        return torch.from_numpy(np.stack(arrays).astype(np.uint8 if images else np.float32))
    except (TypeError, ValueError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise CurateError(
            f"{name}: its samples cannot be stacked ({reason}); give them one shape, by a "
            "transform in the data set"
        ) from error


def _check_finite(values: torch.Tensor, view: View, name: str) -> None:
    finite = torch.isfinite(values.reshape(len(values), -1)).all(1)
    if not finite.all():
        row = int((~finite).nonzero()[0])
        raise CurateError(
            f"{name}: {int((~finite).sum()):,} examples hold NaN or infinity, the first is "
            f"{view.id_at(row)!r}; fill them or leave them out"
        )


def _channels_first(image: Any, depth: Depth | None) -> np.ndarray:
    pixels = as_pixels(image, depth)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
