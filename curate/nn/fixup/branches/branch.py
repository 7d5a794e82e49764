"""One residual branch, as plain data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Branch:
    """One branch f of x + f(x), its layers by their names in the model.

    Attributes:
        name: the innermost module that holds all of f, or f's first layer.
        layers: the layers of f in the order of the forward pass.
        last: those of them after which no other layer of f comes; they become zero.
        num_layers: m, the layers on the longest path through f; an attention counts as 4
            (queries, keys, values, output), as in the authors' Transformer.
        shortcut: layers on the other way from x to the sum, which is usually none.
        averages: whether the shortcut takes an average over neighbours (ResNet-D).
        makes_channels: whether anything in f but attention is read elsewhere (ReXNet, DPN).
        added: where only some outputs of a layer in ``last`` are added to x and the others become
            new channels: its name, the first that is added, and the one behind the
            last, None where they begin or end.
        standard: 'he', or 'xavier' as in the authors' Transformer.
    """

    name: str
    layers: tuple[str, ...]
    last: tuple[str, ...]
    num_layers: int
    shortcut: tuple[str, ...] = ()
    standard: str = "he"
    averages: bool = False
    makes_channels: bool = False
    added: tuple[tuple[str, int | None, int | None], ...] = ()


def common_name(names: tuple[str, ...]) -> str:
    """The innermost module that holds all the named ones."""
    if len(names) == 1:
        return names[0]
    parts = [name.split(".") for name in names]
    shared = 0
    while all(len(p) > shared + 1 and p[shared] == parts[0][shared] for p in parts):
        shared += 1
    return ".".join(parts[0][:shared]) or names[0]
