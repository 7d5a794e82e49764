import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.nn import (
    DynamicConv1d,
    LightConvBlock,
    LightConvError,
    LightweightConv1d,
    dynamic_conv1d,
    lightweight_conv1d,
)

KINDS = {
    "lightweight": lambda **o: LightweightConv1d(4, o.pop("taps"), num_heads=2, bias=True, **o),
    "dynamic": lambda **o: DynamicConv1d(4, o.pop("taps"), num_heads=2, conv_bias=True, **o),
    "dynamic, projected": lambda **o: DynamicConv1d(
        4, o.pop("taps"), num_heads=2, in_proj=True, **o
    ),
    "block": lambda **o: LightConvBlock(4, o.pop("taps"), num_heads=2, **o),
    "dynamic block": lambda **o: LightConvBlock(4, o.pop("taps"), num_heads=2, kind="dynamic", **o),
}


def time_of(layout):
    return {"BTC": 1, "BCT": 2, "TBC": 0}[layout]


@settings(max_examples=80, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    taps=st.integers(1, 9),
    chunks=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    renorm=st.booleans(),
    layout=st.sampled_from(["BTC", "BCT", "TBC"]),
)
def test_chunked_equals_whole(kind, taps, chunks, renorm, layout):
    torch.manual_seed(0)
    options = {"taps": taps, "padding": "causal", "renorm_padding": renorm}
    if "block" not in kind:
        options["layout"] = layout
    else:
        layout = "BTC"
    module = KINDS[kind](**options).double()
    x = torch.randn(2, sum(chunks), 4, dtype=torch.float64)
    x = {"BTC": x, "BCT": x.transpose(1, 2), "TBC": x.transpose(0, 1)}[layout]
    state, outputs = None, []
    for chunk in x.split(chunks, time_of(layout)):
        y, state = module.step(chunk, state)
        outputs.append(y)
    assert state.shape == (2, min(taps - 1, sum(chunks)), 4)
    whole = module(x)
    torch.testing.assert_close(torch.cat(outputs, time_of(layout)), whole, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_reordered_states_continue_the_chosen_sequences(kind):
    torch.manual_seed(0)
    module = KINDS[kind](taps=5, padding="causal").double()
    x = torch.randn(3, 8, 4, dtype=torch.float64)
    index = torch.tensor([2, 0, 0, 1])
    _, state = module.step(x[:, :5])
    y, _ = module.step(x[index, 5:], module.reorder(state, index))
    torch.testing.assert_close(y, module(x)[index, 5:])


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_step_that_would_look_ahead_is_refused(kind):
    with pytest.raises(LightConvError, match="causal"):
        KINDS[kind](taps=3, padding="same").step(torch.randn(1, 2, 4))


def test_a_state_does_not_hold_the_chunk_it_came_from():
    module = LightweightConv1d(4, 3, padding="causal")
    _, state = module.step(torch.randn(1, 1000, 4))
    assert state.untyped_storage().nbytes() == 2 * 4 * 4


def test_gradients_flow_through_the_state():
    module = LightweightConv1d(4, 3, padding="causal").double()
    x = torch.randn(1, 4, 4, dtype=torch.float64, requires_grad=True)
    _, state = module.step(x[:, :3])
    y, _ = module.step(x[:, 3:], state)
    (got,) = torch.autograd.grad(y.sum(), x)
    (want,) = torch.autograd.grad(module(x)[:, 3:].sum(), x)
    torch.testing.assert_close(got, want)


def test_modules_are_their_functions():
    torch.manual_seed(0)
    x, lengths = torch.randn(2, 6, 4), torch.tensor([6, 3])
    options = {"renorm_padding": True, "padding": (1, 3)}
    light = LightweightConv1d(4, 5, num_heads=2, bias=True, **options)
    torch.nn.init.normal_(light.bias)
    want = lightweight_conv1d(x, light.weight, light.bias, lengths=lengths, **options)
    torch.testing.assert_close(light(x, lengths), want)

    dynamic = DynamicConv1d(4, 5, num_heads=2, query_dim=3, bias=True, conv_bias=True, **options)
    torch.nn.init.normal_(dynamic.conv_bias)
    query = torch.randn(2, 6, 3)
    weight = dynamic.weight_linear(query).view(2, 6, 2, 5)
    want = dynamic_conv1d(x, weight, dynamic.conv_bias, lengths=lengths, **options)
    torch.testing.assert_close(dynamic(x, query, lengths), want)

    projected = DynamicConv1d(4, 5, num_heads=2, in_proj=True)
    both = projected.weight_linear(x)
    want = dynamic_conv1d(both[..., :4], both[..., 4:].reshape(2, 6, 2, 5))
    torch.testing.assert_close(projected(x), want)


@pytest.mark.parametrize(("query", "query_dim"), [(None, 3), (torch.randn(1, 2, 4), None)])
def test_a_query_is_given_exactly_when_built_with_one(query, query_dim):
    with pytest.raises(LightConvError, match="^query:"):
        DynamicConv1d(4, 3, query_dim=query_dim)(torch.randn(1, 2, 4), query)


@pytest.mark.parametrize("build", [LightweightConv1d, DynamicConv1d])
@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"num_heads": 3}, "num_heads"),
        ({"kernel_size": 0}, "kernel_size"),
        ({"layout": "TCB"}, "layout"),
        ({"normalize": "max"}, "normalize"),
        ({"normalize": None, "renorm_padding": True}, "renorm_padding"),
        ({"padding": "full"}, "padding"),
        ({"backend": "numpy"}, "backend"),
    ],
)
def test_modules_refuse_what_they_cannot_use(build, change, name):
    with pytest.raises(LightConvError, match=f"^{name}:"):
        build(**{"channels": 4, "kernel_size": 3, "num_heads": 2} | change)


def test_only_lengths_that_stay_have_dynamic_kernels():
    with pytest.raises(LightConvError, match="^padding:"):
        DynamicConv1d(4, 3, padding=0)
    with pytest.raises(LightConvError, match="^query_dim:"):
        DynamicConv1d(4, 3, query_dim=4, in_proj=True)
    with pytest.raises(LightConvError, match="^padding:"):
        LightConvBlock(4, 3, padding=0)
    with pytest.raises(LightConvError, match="^kind:"):
        LightConvBlock(4, 3, kind="deep")


@pytest.mark.parametrize("renorm", [False, True])
def test_dropconnect_drops_taps_of_the_normalised_kernel(renorm):
    torch.manual_seed(0)
    module = LightweightConv1d(
        2, 4, padding=(0, 3), weight_dropout=0.5, renorm_padding=renorm
    ).double()
    taps = module.weight.softmax(1).flatten().tolist()
    possible = {0.0}
    for count in range(1, 5):
        possible |= {2 * sum(chosen) for chosen in itertools.combinations(taps, count)}
    x = torch.ones(1, 4, 2, dtype=torch.float64)
    seen = set()
    for _ in range(50):
        y = module(x)[0, 0]
        assert y[0] == y[1], "one kernel for all channels of a head, dropped once"
        assert min(abs(y[0].item() - value) for value in possible) < 1e-12
        seen.add(round(y[0].item(), 9))
    assert len(seen) > 5
    module.eval()
    torch.testing.assert_close(module(x)[0, 0], torch.ones(2, dtype=torch.float64))


def test_dynamic_dropconnect_keeps_the_mean():
    torch.manual_seed(0)
    module = DynamicConv1d(2, 3, weight_dropout=0.25)
    x = torch.randn(1, 5, 2)
    mean = torch.stack([module(x) for _ in range(4000)]).mean(0)
    torch.testing.assert_close(mean, module.eval()(x), atol=0.05, rtol=0)


def test_state_dicts_of_fairseq_load():
    light = LightweightConv1d(4, 3, num_heads=2, bias=True)
    theirs = {"weight": torch.randn(2, 1, 3), "bias": torch.randn(4)}
    light.load_state_dict(theirs)
    assert torch.equal(light.weight, theirs["weight"].squeeze(1))

    dynamic = DynamicConv1d(4, 3, num_heads=2, bias=True, conv_bias=True)
    theirs = {
        "weight_linear.weight": torch.randn(6, 4),
        "weight_linear.bias": torch.randn(6),
        "conv_bias": torch.randn(1, 1, 4),
    }
    dynamic.load_state_dict(theirs)
    assert torch.equal(dynamic.conv_bias, theirs["conv_bias"].flatten())

    block = LightConvBlock(4, 3, num_heads=2, conv_channels=6)
    layer = {"linear1.weight": torch.randn(12, 4), "linear1.bias": torch.randn(12)}
    layer |= {"conv.weight": torch.randn(2, 1, 3)}
    layer |= {"linear2.weight": torch.randn(4, 6), "linear2.bias": torch.randn(4)}
    block.load_state_dict(layer)


def test_saved_and_loaded_is_the_same(tmp_path):
    module = LightConvBlock(4, 3, num_heads=2, kind="dynamic")
    torch.save(module.state_dict(), tmp_path / "block.pt")
    other = LightConvBlock(4, 3, num_heads=2, kind="dynamic")
    other.load_state_dict(torch.load(tmp_path / "block.pt", weights_only=True))
    x = torch.randn(2, 5, 4)
    assert torch.equal(module(x), other(x))


@pytest.mark.parametrize("kind", ["lightweight", "dynamic"])
@pytest.mark.parametrize("renorm", [False, True])
def test_a_block_does_not_see_what_the_mask_marks(kind, renorm):
    torch.manual_seed(0)
    block = LightConvBlock(4, 5, num_heads=2, kind=kind, renorm_padding=renorm).double()
    x = torch.randn(2, 6, 4, dtype=torch.float64)
    mask = torch.tensor([[False] * 4 + [True] * 2, [True] * 2 + [False] * 4])
    y = block(x, mask)
    torch.testing.assert_close(y[:1, :4], block(x[:1, :4]))
    torch.testing.assert_close(y[1:, 2:], block(x[1:, 2:]))
    with pytest.raises(LightConvError, match="^key_padding_mask:"):
        block(x, mask.float())


def test_a_block_without_a_gate():
    block = LightConvBlock(4, 3, num_heads=2, glu=False, conv_channels=8)
    assert block.linear1.out_features == 8
    x = torch.randn(1, 5, 4)
    torch.testing.assert_close(block(x), block.linear2(block.conv(block.linear1(x))))


def test_autocast():
    block = LightConvBlock(8, 5, num_heads=2, kind="dynamic")
    x = torch.randn(2, 6, 8)
    with torch.autocast("cpu", torch.bfloat16):
        y = block(x)
    y.float().sum().backward()
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), block(x), atol=0.05, rtol=0.05)
    assert all(parameter.grad.dtype == torch.float32 for parameter in block.parameters())
