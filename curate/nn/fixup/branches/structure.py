"""What Fixup has to know of a network, as plain data."""

from dataclasses import dataclass, field
from typing import Any

from curate.nn.fixup.branches.branch import Branch


@dataclass
class Structure:
    """Names of modules by their role in Fixup.

    Attributes:
        branches: in the order of the forward pass.
        plain: layers outside branches, shortcuts and gates; the classifiers are among them.
        classifiers: layers after which no other comes, outside branches.
        gates: layers that only scale another tensor (squeeze and excitation).
        norms: every normalisation.
        source: for a layer the tensor that it reads, an opaque key; equal keys share a bias.
        unbiased: layers that read the network's input.
        biased: layers that read the result of a FixupBias already.
        before_activation: layers whose result goes to an activation.
        sum_before_activation: first layers of ``last`` of branches whose sum does.
        norm_before_activation: normalisations that feed an activation and follow no layer.
        act_modules: activations that need a bias of their own.
        scaled: layers whose result a FixupScale multiplies already.
        uncalled: layers of named branches that no module call uses, as far as can be traced.
        gains: of each layer, over He's, for the activation behind it and the gate before it.
        embeddings: those that begin the stream; class tokens, by their parameter, are among them.
        stream: of a transformer, the layers outside branches that make the stream (patches).
        tokens: class tokens, by their parameter, that go through all branches.
        bare_scales: LayerScales, by their parameter, of branches without layers (PoolFormer).
    """

    branches: list[Branch] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)
    classifiers: list[str] = field(default_factory=list)
    gates: list[str] = field(default_factory=list)
    norms: list[str] = field(default_factory=list)
    source: dict[str, Any] = field(default_factory=dict)
    unbiased: set[str] = field(default_factory=set)
    biased: set[str] = field(default_factory=set)
    before_activation: set[str] = field(default_factory=set)
    sum_before_activation: set[str] = field(default_factory=set)
    norm_before_activation: set[str] = field(default_factory=set)
    act_modules: set[str] = field(default_factory=set)
    scaled: set[str] = field(default_factory=set)
    uncalled: list[str] = field(default_factory=list)
    gains: dict[str, float] = field(default_factory=dict)
    embeddings: set[str] = field(default_factory=set)
    stream: set[str] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)
    bare_scales: set[str] = field(default_factory=set)
