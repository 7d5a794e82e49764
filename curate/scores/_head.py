"""Reading a linear head and what it is applied to."""

from typing import Any

import numpy as np
import torch

from curate.calculus.errors import CalculusError, ShapeError


def parameters(head: Any) -> tuple[torch.Tensor, bool]:
    """A head's weight (outputs, d), the bias its last column, and whether there is one."""
    bias = None
    if isinstance(head, torch.nn.Linear):
        head, bias = head.weight, head.bias
    elif isinstance(head, tuple):
        if len(head) != 2:
            raise CalculusError(f"head: a pair (weight, bias) is needed, not {len(head)} parts")
        head, bias = head
    weight = array(head, "head")
    weight = weight[None] if weight.ndim == 1 else weight
    if weight.ndim != 2:
        raise ShapeError(f"head: the weight has the shape {tuple(weight.shape)}; it needs two axes")
    if bias is None:
        return weight, False
    column = array(bias, "head").reshape(-1, 1)
    if len(column) != len(weight):
        raise ShapeError(f"head: {len(column)} biases for {len(weight)} outputs")
    return torch.cat([weight, column], 1), True


def array(value: Any, name: str, graph: bool = False) -> torch.Tensor:
    """Numbers as float64 on the CPU; a tensor keeps its graph where asked to."""
    if isinstance(value, torch.Tensor):
        return (value if graph else value.detach()).to("cpu", torch.float64)
    try:
        return torch.from_numpy(np.array(value, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise CalculusError(f"{name}: numbers are needed ({error})") from error


def design(
    features: Any, has_bias: bool, weight: torch.Tensor, name: str, graph: bool = False
) -> torch.Tensor:
    """Features (m, d), d with the column of ones of a bias."""
    x = array(features, name, graph)
    expected = weight.shape[1] - has_bias
    if x.ndim != 2 or x.shape[1] != expected or not len(x):
        raise ShapeError(
            f"{name}: the shape {tuple(x.shape)}; the head reads (examples, {expected})"
        )
    if not torch.isfinite(x).all():
        raise CalculusError(f"{name}: NaN or infinity among the values")
    return torch.cat([x, x.new_ones(len(x), 1)], 1) if has_bias else x


def guess(weight: torch.Tensor, labels: torch.Tensor) -> str:
    """The loss that fits labels and outputs."""
    if labels.ndim == 2 or not torch.equal(labels, labels.round()):
        return "squared"
    return "logistic" if len(weight) == 1 else "softmax"


def targets(
    labels: torch.Tensor, kind: str, x: torch.Tensor, weight: torch.Tensor, name: str
) -> torch.Tensor:
    """Labels as what the loss compares outputs with: (m, outputs)."""
    outputs = len(weight)
    if kind == "squared":
        y = labels.reshape(len(labels), -1)
        if y.shape != (len(x), outputs):
            raise ShapeError(
                f"{name}: the shape {tuple(labels.shape)} for {len(x)} examples, {outputs} outputs"
            )
        return y
    if labels.shape != (len(x),):
        raise ShapeError(f"{name}: the shape {tuple(labels.shape)} for {len(x)} examples")
    classes = 2 if kind == "logistic" else outputs
    whole = labels.round()
    if kind == "logistic" and set(labels.unique().tolist()) <= {-1.0, 1.0}:
        return labels[:, None]
    if not torch.equal(whole, labels) or labels.min() < 0 or labels.max() >= classes:
        raise CalculusError(
            f"{name}: class indices from 0 to {classes - 1} are needed, not "
            f"{labels.min().item():g} … {labels.max().item():g}"
        )
    if kind == "logistic":
        return 2 * labels[:, None] - 1
    return torch.nn.functional.one_hot(labels.long(), outputs).to(x.dtype)
