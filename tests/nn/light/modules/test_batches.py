"""Prompts of unequal length in a batch, documents packed into one row: none sees another."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.nn import (
    DynamicConv1d,
    LanguageModel,
    LightConvBlock,
    LightConvError,
    LightweightConv1d,
    dynamic_conv1d,
    lightweight_conv1d,
)
from curate.nn.light.modules.language_model import reordered

KINDS = {
    "lightweight": lambda **o: LightweightConv1d(4, num_heads=2, bias=True, **o),
    "dynamic": lambda **o: DynamicConv1d(4, num_heads=2, conv_bias=True, **o),
    "dynamic, projected": lambda **o: DynamicConv1d(4, num_heads=2, in_proj=True, **o),
    "block": lambda **o: LightConvBlock(4, num_heads=2, **o),
    "dynamic block": lambda **o: LightConvBlock(4, num_heads=2, kind="dynamic", **o),
}
LENGTHS = st.lists(st.integers(1, 6), min_size=1, max_size=4)
NORMALISATIONS = st.sampled_from([("softmax", False), ("softmax", True), (None, False)])


def module_of(kind, taps, normalisation, **options):
    torch.manual_seed(0)
    normalize, renorm = normalisation
    options |= {"kernel_size": taps, "normalize": normalize, "renorm_padding": renorm}
    module = KINDS[kind](**options).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    return module


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    taps=st.integers(1, 7),
    lengths=LENGTHS,
    chunk=st.integers(1, 6),
    normalisation=NORMALISATIONS,
)
def test_left_padded_prompts_step_as_each_alone(kind, taps, lengths, chunk, normalisation):
    module = module_of(kind, taps, normalisation, padding="causal")
    longest = max(lengths)
    prompts = [torch.randn(1, n, 4, dtype=torch.float64) for n in lengths]
    more = torch.randn(len(lengths), 3, 4, dtype=torch.float64)
    padding = torch.arange(longest) < longest - torch.tensor(lengths)[:, None]
    x = torch.full((len(lengths), longest, 4), 7.0, dtype=torch.float64)
    for row, prompt in zip(x, prompts, strict=True):
        row[longest - prompt.shape[1] :] = prompt
    state, outputs = None, []
    for part, mask in zip(x.split(chunk, 1), padding.split(chunk, 1), strict=True):
        y, state = module.step(part, state, key_padding_mask=mask)
        outputs.append(y)
    got = torch.cat(outputs, 1)
    after, state = module.step(more, state)
    for i, prompt in enumerate(prompts):
        want, alone = module.step(prompt)
        torch.testing.assert_close(got[i : i + 1, longest - lengths[i] :], want)
        torch.testing.assert_close(after[i : i + 1], module.step(more[i : i + 1], alone)[0])
    index = torch.tensor([0, len(lengths) - 1, 0])
    chosen = module.reorder(state, index)
    torch.testing.assert_close(
        module.step(more[index], chosen)[0], module.step(more, state)[0][index]
    )


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    taps=st.integers(1, 7),
    lengths=LENGTHS,
    padding=st.sampled_from(["same", "causal"]),
    normalisation=NORMALISATIONS,
)
def test_packed_documents_are_convolved_as_each_alone(kind, taps, lengths, padding, normalisation):
    module = module_of(kind, taps, normalisation, padding=padding)
    x = torch.randn(2, sum(lengths), 4, dtype=torch.float64)
    seq_idx = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    got = module(x, seq_idx=seq_idx.expand(2, -1))
    want = torch.cat([module(part) for part in x.split(lengths, 1)], 1)
    torch.testing.assert_close(got, want)
    scripted = torch.jit.script(module)
    torch.testing.assert_close(scripted(x, seq_idx=seq_idx.expand(2, -1)), want)


def test_packed_functions_and_their_gradients():
    torch.manual_seed(0)
    x = torch.randn(1, 7, 4, dtype=torch.float64, requires_grad=True)
    seq_idx = torch.tensor([[5, 5, 5, 2, 2, 9, 9]])
    for function, weight in (
        (lightweight_conv1d, torch.randn(2, 3, dtype=torch.float64)),
        (dynamic_conv1d, torch.randn(1, 7, 2, 3, dtype=torch.float64)),
    ):
        y = function(x, weight, seq_idx=seq_idx)
        (gradient,) = torch.autograd.grad(y[0, 3:5].sum(), x)
        assert not gradient[0, [0, 1, 2, 5, 6]].any()
        assert gradient[0, 3:5].all()
        with pytest.raises(LightConvError, match="^seq_idx:"):
            function(x, weight, seq_idx=seq_idx[:, :4])
        with pytest.raises(LightConvError, match="^seq_idx:"):
            function(x, weight, seq_idx=seq_idx.double())
    with pytest.raises(LightConvError, match="^seq_idx:"):
        lightweight_conv1d(x, torch.randn(2, 3, dtype=torch.float64), padding=0, seq_idx=seq_idx)


@pytest.mark.parametrize("kind", ["lightweight", "dynamic", "attention"])
def test_a_language_model_takes_both(kind):
    torch.manual_seed(0)
    model = LanguageModel(20, 8, 16, (3, 5), num_heads=2, kind=kind).double().eval()
    first, second = torch.randint(0, 20, (1, 5)), torch.randint(0, 20, (1, 3))
    packed = torch.cat((first, second), 1)
    seq_idx = torch.tensor([[0] * 5 + [1] * 3])
    want = torch.cat((model(first), model(second)), 1)
    torch.testing.assert_close(model(packed, seq_idx=seq_idx), want)

    batch = torch.cat((first, torch.nn.functional.pad(second, (2, 0))))
    mask = torch.tensor([[False] * 5, [True] * 2 + [False] * 3])
    torch.testing.assert_close(model(batch, mask)[1:, 2:], model(second))
    logits, state = model.step(batch, key_padding_mask=mask)
    torch.testing.assert_close(logits[:1], model(first))
    torch.testing.assert_close(logits[1:, 2:], model(second))
    more = torch.randint(0, 20, (2, 2))
    index = torch.tensor([1, 0, 1])
    logits, _ = model.step(more[index], reordered(state, index))
    alone = model(torch.cat((second, more[1:]), 1))[:, 3:]
    torch.testing.assert_close(logits[[0, 2]], alone.expand(2, -1, -1))


def test_lengths_and_sizes_of_another_type_are_refused():
    with pytest.raises(LightConvError, match="^lengths:"):
        lightweight_conv1d(torch.randn(2, 4, 4), torch.randn(2, 3), lengths=[2, 3])
    with pytest.raises(LightConvError, match="^kernel_size:"):
        LightweightConv1d(4, "3")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_mask_or_state_that_does_not_fit_is_refused(kind):
    module = KINDS[kind](kernel_size=3, padding="causal")
    x = torch.randn(2, 4, 4)
    with pytest.raises(LightConvError, match="^key_padding_mask:"):
        module.step(x, key_padding_mask=torch.zeros(2, 3, dtype=torch.bool))
    _, state = module.step(x)
    with pytest.raises(LightConvError, match="^state:"):
        module.step(x[:1], state)
